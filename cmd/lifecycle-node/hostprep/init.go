// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// mostOfAdmin bounds the administrator's kubeconfig.
const mostOfAdmin = 1 << 20

// lastsAtMost is how long an earlier start of the same init is waited for, whose
// connection was cut: kubeadm's own bounds and a little more.
const lastsAtMost = 25 * time.Minute

// Init prepares the host and has kubeadm make a cluster on it. A cluster that this has
// begun is finished, one that it has made is left as it is, any other is refused.
func Init(ctx context.Context, d wire.Delivery, talk report.Talk) (json.RawMessage, error) {
	var order prep.InitOrder
	if err := json.Unmarshal(d.Spec.Task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	unlock, waited, err := aloneSoon(ctx, lastsAtMost)
	if err != nil {
		return nil, err
	}
	defer unlock()
	f := founding{order: order, talk: talk, waited: waited, init: kubeadm.Init{Host: host.Local{}, Documents: order.Documents}}
	if f.out.Node, err = f.name(); err != nil {
		return nil, err
	}
	if err := f.found(ctx); err != nil {
		return nil, err
	}
	return json.Marshal(f.out)
}

// founding is one host on its way.
type founding struct {
	order prep.InitOrder
	talk  report.Talk
	// waited says that another program changed the host before this one could: minutes may
	// have gone, and who asked may have left.
	waited bool
	init   kubeadm.Init
	out    prep.Founded
}

// name is the name that the node will have.
func (f *founding) name() (string, error) {
	for _, raw := range f.order.Documents {
		var d struct {
			Kind             string `json:"kind"`
			NodeRegistration struct {
				Name string `json:"name"`
			} `json:"nodeRegistration"`
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return "", fmt.Errorf("decode the configuration: %w", err)
		}
		if d.Kind == "InitConfiguration" && d.NodeRegistration.Name != "" {
			return nodeName(d.NodeRegistration.Name)
		}
	}
	return nodeName(f.order.Prep.Wanted.Hostname)
}

func (f *founding) found(ctx context.Context) error {
	standing, settings, differs, err := f.init.Look()
	if err != nil {
		return err
	}
	f.out.Endpoint, f.out.Assumed = settings.Endpoint, settings.Assumed
	switch {
	case standing == kubeadm.Made:
		f.out.Already, f.out.Differs = true, differs
		return f.admin()
	case f.waited:
		return plan.Refuse(errors.New("what another command did on this host has ended, and there is no cluster of it"),
			"run the command again, so that it begins while you listen")
	case f.order.OnlyMade:
		f.out.NotMade = true
		return nil
	case standing == kubeadm.HalfMade && differs:
		return plan.Refuse(errors.New("an init with other settings has begun on this host and has not ended well"),
			"run that one again, it goes on where it was; or take off the host what there is of it (lifecycle-node clean), and begin again")
	case standing == kubeadm.Blank:
		if err := f.prepare(ctx); err != nil || f.out.Blocked {
			return err
		}
	}
	if err := f.run(ctx); err != nil {
		return f.failed(err)
	}
	return f.admin()
}

// prepare mends what the host lacks.
func (f *founding) prepare(ctx context.Context) (err error) {
	if f.out.Outcome, err = do(ctx, f.order.Prep, saying(f.talk), f.talk); err != nil {
		return err
	}
	f.out.Outcome = f.out.Outcome.Shown()
	f.out.Blocked = f.out.Outcome.Report.Blocked()
	return nil
}

// run has kubeadm make the cluster. The configuration is in a file that only root can
// read, for as long as that takes.
func (f *founding) run(ctx context.Context) error {
	file, settings, err := f.init.Plan(ctx)
	if err != nil {
		return err
	}
	f.out.Endpoint, f.out.Assumed, f.out.Version = settings.Endpoint, settings.Assumed, settings.Version
	// A connection that breaks off must not leave half a cluster: kubeadm goes on to its
	// own end, and the same command finds what has become of it.
	err = withFile("/run", func(path string) error {
		f.init.File = path
		return f.init.Do(context.WithoutCancel(ctx), file, settings)
	})
	if err != nil && plan.ClassOf(err) != plan.Refused {
		f.out.Begun, err = true, plan.Begun(err)
	}
	return err
}

// failed tells what was prepared before, which an error alone would leave out.
func (f *founding) failed(err error) error {
	if len(f.out.Outcome.Made) == 0 {
		return err
	}
	f.out.Failed, f.out.WayOut = told(err)
	return nil
}

// admin reads the administrator's kubeconfig.
func (f *founding) admin() (err error) {
	f.out.Kubeconfig, err = host.ReadPlain(kubeadm.AdminFile, mostOfAdmin)
	if err == nil && !strings.Contains(string(f.out.Kubeconfig), "clusters:") {
		err = errors.New(kubeadm.AdminFile + " is no kubeconfig")
	}
	if err != nil {
		return plan.Hint(fmt.Errorf("the cluster is made, and its administrator's kubeconfig cannot be read: %w", err),
			"make it again on the host: kubeadm init phase kubeconfig admin")
	}
	return nil
}
