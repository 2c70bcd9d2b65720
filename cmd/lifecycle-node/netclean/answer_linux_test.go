// SPDX-License-Identifier: Apache-2.0

package netclean

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestANetworkThatIsInUseIsNotTakenAway(t *testing.T) {
	flannel := inventory.NetworkOrder{Scope: inventory.Scope{Owner: inventory.Flannel}}
	lost := flannel
	lost.WithPods = true
	for name, tc := range map[string]struct {
		order inventory.NetworkOrder
		seen  inventory.NetworkAnswer
		says  string // of the refusal; empty for none
	}{
		"nothing uses it":                        {flannel, inventory.NetworkAnswer{}, ""},
		"a pod runs in it":                       {flannel, inventory.NetworkAnswer{Pods: []string{"shop/web-1"}}, "shop/web-1"},
		"a pod runs in it, and may lose it":      {lost, inventory.NetworkAnswer{Pods: []string{"shop/web-1"}}, ""},
		"its agent runs":                         {flannel, inventory.NetworkAnswer{Agents: []string{"kube-flannel/a"}}, "kube-flannel/a"},
		"its agent runs, whatever pods may lose": {lost, inventory.NetworkAnswer{Agents: []string{"kube-flannel/a"}}, "an agent of flannel"},
	} {
		err := mayBegin(tc.order, tc.seen)
		if (err != nil) != (tc.says != "") || err != nil && (!strings.Contains(err.Error(), tc.says) || plan.ClassOf(err) != plan.Refused ||
			plan.HintOf(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADryRunSaysWhatCouldNotBeRead(t *testing.T) {
	goes := inventory.Item{Kind: inventory.KindLink, Name: "flannel.1", Owner: inventory.Flannel, Fate: inventory.Goes}
	unread := []inventory.Unchecked{{Kind: inventory.KindLink, What: "rules", Why: "no permission"}}
	for name, tc := range map[string]struct {
		dry    bool
		before inventory.Inventory
		done   bool
		want   inventory.State
	}{
		"a dry run ends with the look":                      {true, inventory.Inventory{Items: []inventory.Item{goes}}, true, ""},
		"a dry run names what could not be read":            {true, inventory.Inventory{Unchecked: unread}, true, ""},
		"nothing is there":                                  {false, inventory.Inventory{}, true, inventory.Clean},
		"something is there":                                {false, inventory.Inventory{Items: []inventory.Item{goes}}, false, ""},
		"nothing is seen, and not everything was looked at": {false, inventory.Inventory{Unchecked: unread}, false, ""},
	} {
		var got inventory.NetworkAnswer
		done := looked(inventory.NetworkOrder{Scope: inventory.Scope{Owner: inventory.Flannel}, DryRun: tc.dry}, tc.before, &got)
		if done != tc.done || got.Verdict.State != tc.want || len(got.Objects) != len(tc.before.Items) ||
			tc.dry && len(got.Verdict.Unchecked) != len(tc.before.Unchecked) {
			t.Errorf("%s: done %v, %+v", name, done, got)
		}
	}
}

func TestAnOrderNamesANetworkThatIsKnown(t *testing.T) {
	for task, works := range map[string]bool{
		`{"node":"w","owner":"flannel"}`: true, `{"owner":"kube-proxy"}`: true, `{"owner":"kubelet"}`: false, `{"owner":"foreign"}`: false,
		`{}`: false, `{"owner":"flannel","firewall":"all"}`: false, `[`: false,
	} {
		order, err := Order(json.RawMessage(task))
		if (err == nil) != works || err == nil && !order.Limited() {
			t.Errorf("%s: %+v, %v", task, order, err)
		}
	}
}

func TestTheVerdictIsOfTheNetworkAlone(t *testing.T) {
	stays := func(owner inventory.Owner, refers string) inventory.Item {
		return inventory.Item{Kind: inventory.KindLink, Name: "x", Owner: owner, Fate: inventory.Stays, Refers: refers}
	}
	one := func(it inventory.Item) []inventory.Item { return []inventory.Item{it} }
	perhaps := func(owner inventory.Owner) inventory.Item {
		return stays(inventory.Foreign, ownership.PerhapsWhy(owner))
	}
	its := func(fate inventory.Fate) inventory.Item {
		return inventory.Item{Kind: inventory.KindLink, Name: "x", Owner: inventory.Flannel, Fate: fate}
	}
	file := func(path, refers string) inventory.Item {
		return inventory.Item{Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Refers: refers}
	}
	for name, tc := range map[string]struct {
		items []inventory.Item
		want  inventory.State
	}{
		"its directory was not looked at":     {one(file("/run/flannel", inventory.NotLookedAt+"x")), inventory.CleanBut},
		"a directory above it was not":        {one(file("/run", inventory.NotLookedAt+"x")), inventory.CleanBut},
		"something older in it has changed":   {one(file("/run/flannel/old", "it has changed")), inventory.CleanBut},
		"a configuration was not read":        {one(file("/etc/cni/net.d/10-x.conf", inventory.NotLookedAt+"x")), inventory.CleanBut},
		"another's configuration leads to it": {one(file("/etc/cni/net.d/05-cilium.conflist", "the cluster's")), inventory.Clean},
		"another network's was not looked at": {one(file("/var/lib/calico", inventory.NotLookedAt+"x")), inventory.Clean},
		"nothing is left":                     {nil, inventory.Clean},
		"something of another's is named":     {one(perhaps(inventory.Calico)), inventory.Clean},
		"something may be the network's":      {one(perhaps(inventory.Flannel)), inventory.CleanBut},
		"a foreign rule uses the network's":   {one(stays(inventory.Flannel, "a rule uses it")), inventory.CleanBut},
		"something of the network's is there": {one(its(inventory.Goes)), inventory.Dirty},
		"only a reboot takes it away":         {one(its(inventory.Reboot)), inventory.CleanAfterReboot},
	} {
		if got := verdict(inventory.Flannel, inventory.Inventory{Items: tc.items}); got.State != tc.want {
			t.Errorf("%s: %+v, want %s", name, got, tc.want)
		}
	}
}

func TestWhatANetworkHasSetInTheKernelIsNamed(t *testing.T) {
	harmless := func(kind inventory.Kind) inventory.Item {
		return inventory.Item{Kind: kind, Name: "x", Owner: inventory.Cilium, Fate: inventory.Harmless}
	}
	before := inventory.Inventory{Items: []inventory.Item{harmless(inventory.KindMount), harmless(inventory.KindSysctl)}}
	got := verdict(inventory.Cilium, inventory.Inventory{Items: before.Items})
	if len(got.Harmless) != 1 || got.Harmless[0].Kind != inventory.KindSysctl || got.State != inventory.Clean {
		t.Errorf("%+v", got)
	}
}

func TestAnAPIServerIsReachedIfOneAcceptsAConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := "https://" + l.Addr().String()
	if err := reaching([]string{"https://127.0.0.1:1", open})(t.Context()); err != nil {
		t.Errorf("not reached: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if reaching([]string{open})(t.Context()) == nil {
		t.Error("reached although nothing listens")
	}
	if reaching(nil) != nil {
		t.Error("nothing is known, and it is asked")
	}
}
