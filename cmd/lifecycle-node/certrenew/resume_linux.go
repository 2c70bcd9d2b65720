// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostOfWhy bounds what a journal says of a failure.
const mostOfWhy = 2000

// resume finishes a renewal that was killed, and says what is left to be renewed. It takes it
// back only where its certificates are not good, or cannot be used: that another host is away
// does not make them worse, and a person may have renewed them since.
func (r *renewal) resume(ctx context.Context) ([]string, error) {
	killed, err := unfinished(r.host, r.dir)
	if err != nil {
		return nil, plan.Hint(err, "compare the certificates with their copies in %s, and delete it", inventory.BackupDir)
	}
	if killed == nil {
		return r.undone(ctx, r.order.Names), sweep(r.host, r.dir)
	}
	r.saved, r.out.Backup, r.out.Changed = killed, killed.Far, true
	before := killed.before()
	err = r.good(ctx, before, certs.Changed(before, r.look(ctx), killed.Names))
	if err == nil {
		if err := r.written(); err != nil { // the journal stays: the next call goes on from here
			return nil, err
		}
		err = r.settle(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("the renewal that was interrupted on %s is taken back: %w", killed.Stamp, r.takeBack(ctx, err))
	}
	if err := r.health(ctx, false); err != nil {
		return nil, plan.Hint(fmt.Errorf("the certificates of the renewal that was interrupted on %s are good and in use, and stay; "+
			"but the control plane is not well: %w", killed.Stamp, err),
			"mend that, and run the command again; the earlier certificates are in %s on the host", killed.Far)
	}
	if err := r.finished(); err != nil {
		return nil, err
	}
	wish := r.order.Wish
	wish.Now = r.now()
	names, _ := wish.Choose(r.look(ctx))
	return r.undone(ctx, names), nil
}

// undone are those of some certificates that were not renewed since the order was made. An
// order may come twice: where its answer was lost, it is sent again.
func (r *renewal) undone(ctx context.Context, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	left := certs.Undone(r.order.Seen, r.look(ctx), names)
	if len(left) < len(names) {
		r.out.Changed = true
	}
	return left
}

// takeBack puts the earlier files in place and has them used. It returns the cause, with
// what has come of it. It has time of its own: that of the renewal may be over.
func (r *renewal) takeBack(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), back)
	defer cancel()
	stay := certs.Outlived(r.saved.before(), r.look(ctx), r.saved.Names, r.now())
	if len(stay) > 0 {
		cause = fmt.Errorf("%w; what has expired is not put back, and the new one stays: %s", cause, strings.Join(stay, ", "))
	}
	// What runs with the earlier file does not have to be restarted for it.
	err := r.saved.restore(certs.Restarts(r.look(ctx)), stay...)
	if err == nil {
		err = r.used(ctx)
	}
	if err != nil { // the journal stays: the next call goes on from here
		// What comes of a renewal may reach no one where the API server is away.
		r.saved.Why = text.Short(fmt.Sprintf("%v; and the way back failed, too: %v", cause, err), mostOfWhy)
		if said := r.saved.begin(); said != nil {
			cause = fmt.Errorf("%w; %w", cause, said)
		}
		return plan.Hint(fmt.Errorf("%w; and the way back failed, too: %w", cause, err),
			"on the host, the earlier files are in %s; when they can be put back, run the command again", r.saved.Far)
	}
	r.out.Restored = len(stay) == 0
	if err := r.finished(); err != nil {
		return fmt.Errorf("%w; and the way back is not finished: %w", cause, err)
	}
	return cause
}
