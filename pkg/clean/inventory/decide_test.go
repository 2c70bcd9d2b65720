// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecideOrdersWhatGoes(t *testing.T) {
	goes := func(kind Kind, name, in, detail string) Item {
		return Item{Kind: kind, Name: name, In: in, Detail: detail, Owner: Kubelet, Fate: Goes}
	}
	inv := Inventory{Items: []Item{
		{Kind: KindFile, Name: "/etc/kubernetes/kubelet.conf", Fate: Goes, Turn: AsCredential},
		{Kind: KindFile, Name: HoldFile, Fate: Goes, Turn: AsHold},
		goes(KindFile, "/etc/cni/net.d/10-flannel.conflist", "", ""),
		goes(KindCgroup, "/sys/fs/cgroup/kubepods.slice", "", ""),
		goes(KindIPSet, "KUBE-CLUSTER-IP", "", ""),
		goes(KindChain, "KUBE-SERVICES", "nft ip nat", ""),
		goes(KindJump, "OUTPUT → KUBE-SERVICES", "nft ip nat", ""),
		goes(KindRoute, "10.244.1.0/24", "", ""),
		goes(KindLink, "cni0", "", ""),
		goes(KindLink, "veth1", "cni0", ""),
		goes(KindNetNS, "/run/netns/cni-1", "", ""),
		goes(KindMount, "/k/a", "", ""),
		goes(KindMount, "/k/a/b", "", ""),
		{Kind: KindSandbox, Name: "kube-system/proxy", Fate: Goes, Turn: AfterOthers},
		goes(KindSandbox, "shop/web", "", "ready"),
		goes(KindContainer, "shop/web/app", "", "running"),
		goes(KindUnit, "kubelet.service", "", ""),
		{Kind: KindLink, Name: "eth0", Fate: Stays},
		{Kind: KindDir, Name: "/etc/cni/net.d", Fate: Harmless},
	}, Unchecked: []Unchecked{{Kind: KindTable, What: "legacy"}}}
	r := Decide(inv)
	var got []string
	for _, it := range r.Objects {
		got = append(got, it.Name)
	}
	want := []string{
		"kubelet.service", "shop/web", "shop/web/app", "kube-system/proxy", "/k/a/b", "/k/a", "/run/netns/cni-1", "veth1", "cni0",
		"10.244.1.0/24", "OUTPUT → KUBE-SERVICES", "KUBE-SERVICES", "KUBE-CLUSTER-IP", "/sys/fs/cgroup/kubepods.slice",
		"/etc/cni/net.d/10-flannel.conflist", "/etc/kubernetes/kubelet.conf", HoldFile,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if len(r.Stay) != 2 || len(r.Unchecked) != 1 {
		t.Errorf("stay %v, unchecked %v", r.Stay, r.Unchecked)
	}
}

func TestVerify(t *testing.T) {
	ours := Item{Kind: KindLink, Name: "cni0", Owner: CNIPlugins, Fate: Goes}
	theirs := Item{Kind: KindTable, Name: "nft ip nat", Owner: Foreign, Fate: Stays, Digest: "1"}
	changed := theirs
	changed.Digest = "2"
	empty := Item{Kind: KindDir, Name: "/etc/cni/net.d", Fate: Harmless}
	again := Item{Kind: KindDir, Name: "/usr/libexec/kubernetes", Fate: Goes, Manner: IfEmpty}
	made := again
	made.Fate, made.Why = Harmless, "empty; another program on this host made it again, or keeps it"
	reboot := Item{Kind: KindMount, Name: "/k/dead", Fate: Reboot}
	of := func(items ...Item) Inventory { return Inventory{Items: items} }
	for _, tc := range []struct {
		name          string
		before, after Inventory
		want          Verdict
	}{
		{"nothing of ours is left", of(ours, theirs), of(theirs), Verdict{State: Clean}},
		{"something of ours is left", of(ours), of(ours), Verdict{State: Dirty, Remaining: []Item{ours}}},
		{"something of ours appeared meanwhile", of(), of(ours), Verdict{State: Dirty, Remaining: []Item{ours}}},
		{"what only a reboot ends", of(), of(reboot), Verdict{State: CleanAfterReboot, AfterReboot: []Item{reboot}}},
		{"what could not be read is not clean", of(), Inventory{Unchecked: []Unchecked{{What: "legacy"}}},
			Verdict{State: Dirty, Unchecked: []Unchecked{{What: "legacy"}}}},
		{"what would refuse a join is not clean", of(), Inventory{Blocking: []string{"port 10250 is in use"}},
			Verdict{State: Dirty, Blocking: []string{"port 10250 is in use"}}},
		{"empty directories are clean", of(), of(empty), Verdict{State: Clean, Harmless: []Item{empty}}},
		{"an empty directory that is there again is clean", of(again), of(again), Verdict{State: Clean, Harmless: []Item{made}}},
		{"a foreign thing that is gone is named", of(theirs), of(), Verdict{State: Clean, Lost: []Item{theirs}}},
		{"a foreign thing that is different is named", of(theirs), of(changed), Verdict{State: Clean, Changed: []Item{changed}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Verify(tc.before, tc.after)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnInventorySurvivesItsJourneyAndHasOneOrder(t *testing.T) {
	inv := Inventory{Hostname: "w1", Items: []Item{
		{Kind: KindDir, Name: "/b", Fate: Goes}, {Kind: KindLink, Name: "veth", In: "cni0", Fate: Goes}, {Kind: KindUnit, Name: "u",
			Fate: Goes}, {Kind: KindLink, Name: "cni0", Fate: Goes},
	}, Blocking: []string{"b", "a"}}
	inv.Sort()
	raw, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	var again Inventory
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inv, again); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, it := range again.Items {
		got = append(got, it.Name)
	}
	if diff := cmp.Diff([]string{"u", "cni0", "veth", "/b"}, got); diff != "" || again.Blocking[0] != "a" {
		t.Error(diff, again.Blocking)
	}
}
