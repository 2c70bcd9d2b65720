// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	usualDir  = "/etc/kubernetes/pki"
	adminConf = "/etc/kubernetes/admin.conf"
	// room is what must be free where certificates and backups are.
	room = 32 << 20
)

// renewal is one renewal on this host.
type renewal struct {
	order certs.Renewal
	dir   string
	host  host.Local
	// look reads the host, health asks whether what runs here is well.
	look   func(ctx context.Context) certs.Look
	health func(ctx context.Context) error
	// kubeadm renews one certificate, restart ends a program that the kubelet starts again.
	kubeadm func(ctx context.Context, name string) error
	restart func(ctx context.Context, name string) error
	now     func() time.Time
	out     certs.Outcome
	saved   *backup
}

func newRenewal(order certs.Renewal) *renewal {
	r := &renewal{order: order, dir: usualDir, now: time.Now}
	if order.Dir != "" {
		r.dir = path.Clean("/" + order.Dir)
	}
	r.look = func(ctx context.Context) certs.Look {
		return certlook.Read(ctx, certlook.Files{Root: r.host.Root}, order.Layout)
	}
	r.health, r.kubeadm, r.restart = r.healthy, r.byKubeadm, r.end
	return r
}

// do renews, proves, and takes back what does not hold. It returns what has come of it.
func (r *renewal) do(ctx context.Context) certs.Outcome {
	err := r.renew(ctx)
	if err != nil {
		r.out.Error, r.out.Hint = err.Error(), plan.HintOf(err)
		if r.saved != nil {
			r.takeBack(ctx)
		}
	}
	if r.saved != nil {
		if err := r.saved.drop(); err != nil && r.out.Error == "" {
			r.out.Hint = "delete it: " + r.saved.near
		}
	}
	r.out.Look = r.look(ctx)
	return r.out
}

func (r *renewal) renew(ctx context.Context) error {
	if err := r.known(); err != nil {
		return err
	}
	before := r.look(ctx)
	if len(r.order.Names) > 0 {
		if err := r.gates(ctx); err != nil {
			return err
		}
		saved, err := save(r.host, r.dir, r.now())
		if err != nil {
			return fmt.Errorf("back the certificates up: %w", err)
		}
		r.saved, r.out.Backup, r.out.Changed = saved, saved.far, true
		for _, name := range r.order.Names {
			if err := r.kubeadm(ctx, name); err != nil {
				return err
			}
		}
		if wrong := certs.Renewed(before, r.look(ctx), r.order.Names); len(wrong) > 0 {
			return fmt.Errorf("the new certificates are not good: %s", strings.Join(wrong, "; "))
		}
		r.out.Renewed = r.order.Names
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.health(ctx)
}

// known refuses a name that is not one of kubeadm's: it becomes an argument.
func (r *renewal) known() error {
	for _, name := range r.order.Names {
		if !slices.Contains(certs.Renewable(), name) {
			return fmt.Errorf("%q is no certificate that kubeadm renews", name)
		}
	}
	return nil
}

// gates refuse before anything is changed.
func (r *renewal) gates(ctx context.Context) error {
	if _, err := os.Stat(r.host.Path(adminConf)); err != nil {
		return plan.Hint(fmt.Errorf("kubeadm reads the cluster's configuration with %s: %w", adminConf, err),
			"make it again there: kubeadm init phase kubeconfig admin")
	}
	for _, dir := range []string{r.dir, "/var"} {
		var free unix.Statfs_t
		if err := unix.Statfs(r.host.Path(dir), &free); err != nil {
			return fmt.Errorf("ask how much room there is at %s: %w", dir, err)
		}
		if free.Bavail*uint64(free.Bsize) < room || free.Files > 0 && free.Ffree < 1000 {
			return plan.Hint(fmt.Errorf("there is no room at %s: less than %d MiB are free", dir, room>>20),
				"make room there, and run the command again")
		}
	}
	for _, u := range r.unused(ctx) {
		if u.down {
			return plan.Hint(fmt.Errorf("%s is not found running with the flags of its manifest, or does not answer", u.program),
				"mend that first; a change of the manifest that is a moment old needs time")
		}
	}
	if err := r.health(ctx); err != nil {
		return plan.Hint(fmt.Errorf("the control plane is not well, and is not touched: %w", err), "mend that first")
	}
	return nil
}

// byKubeadm has kubeadm renew one certificate.
func (r *renewal) byKubeadm(ctx context.Context, name string) error {
	words := []string{"kubeadm", "certs", "renew", name, "--cert-dir", r.dir}
	if _, err := r.host.Run(ctx, host.Command{Name: words[0], Args: words[1:], Timeout: 2 * time.Minute}); err != nil {
		return plan.Hint(fmt.Errorf("renew %s: %w", name, told(err)), "see what kubeadm says there: %s", text.Command(words...))
	}
	return nil
}

// told is the error of a command without kubeadm's last line, which says how to see more and
// not what is wrong.
func told(err error) error {
	var failed *host.CommandError
	if !errors.As(err, &failed) {
		return err
	}
	short := *failed
	if cut := strings.LastIndex(short.Output, "To see the stack trace"); cut > 0 {
		short.Output = short.Output[:cut]
	}
	return &short
}

// takeBack puts the earlier files in place, has them used, and says whether that was proved.
func (r *renewal) takeBack(ctx context.Context) {
	err := r.saved.restore()
	if err == nil {
		err = r.settle(ctx)
	}
	if err == nil {
		err = r.health(ctx)
	}
	r.out.Renewed = nil
	if err != nil {
		r.out.Error += "; and the way back failed, too: " + err.Error()
		r.out.Hint = "on the host, the earlier files are in " + r.saved.far
		return
	}
	r.out.Restored = true
}
