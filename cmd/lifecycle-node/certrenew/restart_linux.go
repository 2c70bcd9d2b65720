// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/staticpod"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// reloads is how long a server may take to read its files again by itself: the API server
	// and etcd do so within a minute at most (client-go polls every minute).
	reloads = 75 * time.Second
	// returns is how long a program may take to be there again: the kubelet waits longer
	// with each restart within ten minutes (10, 20, 40, 80 s).
	returns = 3 * time.Minute
	// wellWithin is how long it may take until all is well.
	wellWithin = 2 * time.Minute
	every      = 500 * time.Millisecond
	// kubeletWithin is how long the kubelet may take to answer: it may be starting.
	kubeletWithin = 30 * time.Second
	kubeletBack   = "start it on the host, and run the command again; see: systemctl status kubelet"
)

// program is the static pod that uses a certificate.
func program(row string) string {
	switch row {
	case "controller-manager.conf":
		return "kube-controller-manager"
	case "scheduler.conf":
		return "kube-scheduler"
	case "apiserver":
		return "kube-apiserver"
	case "etcd-server", "etcd-peer":
		return "etcd"
	}
	return ""
}

// use is a certificate on the disk that its program does not use.
type use struct {
	row, program string
	// down says that the program does not run, or does not answer.
	down bool
}

// settle has what lies on the disk used: a program that reads its certificate once is
// restarted, a server is given time to read its own again, and restarted if it does not. One
// that does not run is waited for: the kubelet starts it.
func (r *renewal) settle(ctx context.Context) error {
	began := time.Now()
	asked := map[string]time.Time{}
	for {
		waits := r.unused(ctx)
		if len(waits) == 0 {
			return nil
		}
		for _, u := range waits {
			at, restarted := asked[u.program]
			if !restarted {
				at = began
			}
			switch {
			case (restarted || u.down) && time.Since(at) > returns:
				return plan.Hint(fmt.Errorf("%s does not use the certificate %s that is on the disk after %s", u.program, u.row, returns),
					"see why on the host: journalctl -u kubelet, and the logs of the container")
			case restarted, u.down, !readsOnce(u) && time.Since(began) < reloads:
				continue
			}
			if r.waitsForAnother(u, waits, asked) {
				continue
			}
			if err := r.restartOne(ctx, u.program); err != nil {
				return err
			}
			asked[u.program] = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s uses %s: %w", waits[0].program, waits[0].row, ctx.Err())
		case <-time.After(every):
		}
	}
}

// waitsForAnother reports whether a server is not restarted yet because the other one is
// not back: the API server needs etcd, and a person needs one of them to answer.
func (r *renewal) waitsForAnother(u use, waits []use, asked map[string]time.Time) bool {
	return slices.ContainsFunc(waits, func(other use) bool {
		_, restarted := asked[other.program]
		return restarted && other.program != u.program && !readsOnce(u) && !readsOnce(other)
	})
}

func readsOnce(u use) bool { return strings.HasSuffix(u.row, ".conf") }

// unused are the certificates that are not in use.
func (r *renewal) unused(ctx context.Context) (all []use) {
	look := r.look(ctx)
	stale := certs.Restarts(look)
	for _, row := range look.Rows {
		name := program(row.Name)
		if name == "" || row.IsMissing {
			continue
		}
		down := row.Served == nil || row.Served.Why != ""
		if down || slices.Contains(stale, row.Name) {
			all = append(all, use{row.Name, name, down})
		}
	}
	return all
}

// restartOne restarts a program, unless nothing would start it again.
func (r *renewal) restartOne(ctx context.Context, name string) error {
	if err := r.kubelet(ctx); err != nil {
		return plan.Hint(fmt.Errorf("%s is not restarted: %w", name, err), kubeletBack)
	}
	r.out.Changed = true
	if err := r.restart(ctx, name); err != nil {
		return err
	}
	r.out.Restarted = append(r.out.Restarted, name)
	return nil
}

// kubeletAnswers waits until the kubelet of this host answers.
func (r *renewal) kubeletAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kubeletWithin)
	defer cancel()
	for {
		err := certlook.Kubelet(ctx, certlook.Files{Root: r.host.Root}, r.order.Layout)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}

// end ends the container of a static pod: the kubelet starts another one.
func (r *renewal) end(ctx context.Context, name string) error {
	runtime, err := certlook.Runtime(certlook.Files{Root: r.host.Root})
	if err == nil {
		defer runtime.Close()
		err = staticpod.Restart(ctx, runtime, name)
	}
	if err != nil {
		return fmt.Errorf("restart %s: %w", name, err)
	}
	return nil
}
