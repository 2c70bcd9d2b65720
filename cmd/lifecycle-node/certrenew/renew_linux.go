// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
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

// back bounds the way back, which has time of its own.
const back = 6 * time.Minute

// renewal is one renewal on this host.
type renewal struct {
	order certs.Renewal
	dir   string
	host  host.Local
	// lock lets this program alone change the host, until unlock.
	lock func() (unlock func(), err error)
	// look reads the host, health asks whether what runs here is well; all asks for the other
	// members of etcd, too.
	look   func(ctx context.Context) certs.Look
	health func(ctx context.Context, all bool) error
	// kubeadm renews one certificate, restart ends a program that the kubelet starts again.
	kubeadm func(ctx context.Context, name string) error
	restart func(ctx context.Context, name string) error
	// etcd writes what is in etcd to what begin returns, where this host has a member.
	etcd func(ctx context.Context, begin func(size int64) (io.Writer, error)) (found bool, err error)
	// kubelet says why the kubelet does not answer: it is what starts the programs again.
	kubelet func(ctx context.Context) error
	now     func() time.Time
	out     certs.Outcome
	saved   *backup
}

func newRenewal(order certs.Renewal, lock func() (unlock func(), err error)) *renewal {
	r := &renewal{order: order, dir: usualDir, lock: lock, now: time.Now}
	if order.Dir != "" {
		r.dir = path.Clean("/" + order.Dir)
	}
	r.look = func(ctx context.Context) certs.Look {
		return certlook.Read(ctx, certlook.Files{Root: r.host.Root}, order.Layout)
	}
	r.health, r.kubeadm, r.restart, r.kubelet = r.healthy, r.byKubeadm, r.end, r.kubeletAnswers
	r.etcd = clean.Target{Host: r.host}.Snapshot
	return r
}

// do renews, proves, and takes back what does not hold. It returns what has come of it.
func (r *renewal) do(ctx context.Context) certs.Outcome {
	if err := r.alone(ctx); err != nil {
		r.out.Error, r.out.Hint = err.Error(), plan.HintOf(err)
	}
	r.out.Look = r.look(ctx)
	return r.out
}

// alone does it while no other program changes this host.
func (r *renewal) alone(ctx context.Context) error {
	if err := r.known(); err != nil {
		return err
	}
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	names, err := r.resume(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return r.used(ctx)
	}
	return r.renew(ctx, names)
}

// renew has kubeadm renew certificates, after a backup, and takes it back if it does not hold.
func (r *renewal) renew(ctx context.Context, names []string) error {
	if err := r.gates(ctx); err != nil {
		return err
	}
	before := r.look(ctx)
	saved, err := save(r.host, r.dir, names, r.snapshot(ctx))
	if err != nil {
		return plan.Hint(fmt.Errorf("back the certificates up: %w", err), "%s",
			cmp.Or(plan.HintOf(err), "mend that, and run the command again"))
	}
	r.saved, r.out.Backup, r.out.Changed = saved, saved.Far, true
	for _, name := range names {
		if err := r.kubeadm(ctx, name); err != nil {
			return r.takeBack(ctx, err)
		}
	}
	if err := r.prove(ctx, before, names); err != nil {
		return r.takeBack(ctx, err)
	}
	r.out.Renewed = append(r.out.Renewed, names...)
	return nil
}

// prove says that new certificates are good, on the disk and in use; then nothing is left to
// be taken back.
func (r *renewal) prove(ctx context.Context, before certs.Look, names []string) error {
	if err := r.good(ctx, before, names); err != nil {
		return err
	}
	if err := r.written(); err != nil {
		return err
	}
	if err := r.used(ctx); err != nil {
		return err
	}
	return r.finished()
}

// good says what is wrong with new certificates as files.
func (r *renewal) good(ctx context.Context, before certs.Look, names []string) error {
	if wrong := certs.Renewed(before, r.look(ctx), names); len(wrong) > 0 {
		return fmt.Errorf("the new certificates are not good: %s", strings.Join(wrong, "; "))
	}
	return nil
}

func (r *renewal) written() error {
	if err := r.saved.keep(); err != nil {
		return fmt.Errorf("put the new certificates onto the disk: %w", err)
	}
	return nil
}

func (r *renewal) finished() error {
	if err := r.saved.drop(); err != nil {
		return fmt.Errorf("delete the copies beside the certificates: %w", err)
	}
	r.saved = nil
	return nil
}

// used has what is on the disk used, and sees that all is well.
func (r *renewal) used(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	return r.health(ctx, false)
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
	for _, dir := range []string{r.dir, r.kept()} {
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
	if err := r.health(ctx, true); err != nil {
		return plan.Hint(fmt.Errorf("the control plane is not well, and is not touched: %w", err), "mend that first")
	}
	if err := r.kubelet(ctx); err != nil {
		return plan.Hint(fmt.Errorf("no program could be restarted: %w", err), kubeletBack)
	}
	return nil
}

// kept is where backups are, or the directory in which it will be made: it may be a disk of its own.
func (r *renewal) kept() string {
	dir := inventory.BackupDir
	for dir != "/" {
		if _, err := os.Stat(r.host.Path(dir)); err == nil {
			return dir
		}
		dir = path.Dir(dir)
	}
	return dir
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
