// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"errors"
	"flag"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/upgradeplan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfUpgrades has what the commands about another version show.
func TestScreensOfUpgrades(t *testing.T) {
	show := func(name, target string, change func(*upgrade.Facts)) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			to, err := parse(target)
			if err != nil {
				return err
			}
			f := facts(t)
			change(&f)
			p := upgradeplan.Make(f, to, "")
			return errors.Join(e.Print("", view.Of("UpgradePlan", p), func(s *view.Sheet) error { return screen(s, p) }), toDo(p))
		})}
	}
	family := screentest.Family(Commands)
	screentest.Compare(t, *update, []screentest.Screen{
		show("plan-ready", "v1.37.2", func(*upgrade.Facts) {}),
		show("plan", "v1.37.2", func(f *upgrade.Facts) {
			f.Nodes[4].Ready, f.Nodes[4].Why = false, "Kubelet stopped posting node status."
			f.Nodes[3].Kubelet = version(t, "v1.33.1")
			f.Components[0].Ready = false
			f.Certificates = []upgrade.Certificate{{Node: "cp-1", Name: "apiserver", Ends: screentest.Now().AddDate(0, 0, 5)}}
		}),
		show("plan-too-far", "v1.39.0", func(*upgrade.Facts) {}), show("plan-back", "v1.35.1", func(*upgrade.Facts) {}),
		family.Line("plan-no-version", nil, "upgrade", "plan", "latest"),
	})
}

func version(t *testing.T, s string) upgrade.Version {
	t.Helper()
	v, err := upgrade.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// facts are those of a cluster with three control planes that is well.
func facts(t *testing.T) upgrade.Facts {
	t.Helper()
	now := version(t, "v1.36.3")
	f := upgrade.Facts{Now: screentest.Now(), Served: now, Config: upgrade.Config{APIVersion: "kubeadm.k8s.io/v1beta4", Version: now}}
	for _, name := range []string{"cp-1", "cp-2", "cp-3", "worker-1", "worker-2"} {
		plane := name[0] == 'c'
		f.Nodes = append(f.Nodes, upgrade.Node{Name: name, ControlPlane: plane, Ready: true, Tainted: plane, Kubelet: now})
		if plane {
			f.Components = append(f.Components, upgrade.Component{Node: name, Name: "kube-apiserver", Ready: true,
				Image: "registry.k8s.io/kube-apiserver:v1.36.3"})
		}
	}
	return f
}
