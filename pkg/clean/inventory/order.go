// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
	"strings"
)

// Stage is one step of a removal, and what it removes.
type Stage struct {
	// ID and Title are the step's.
	ID, Title string
	// Kinds are those of which the step removes what goes, in groups: each group goes
	// before the next.
	Kinds [][]Kind
	// takes picks things of another stage's kinds; nil for none.
	takes func(Item) bool
}

// Stages are the order of a removal, which is binding: what stands against it first,
// while nothing has changed; the etcd member, since it may not be allowed to leave;
// then the kubelet, so that nothing is started again; containers while their network's
// configuration is there to take them down; mounts when nothing uses them; the network
// from what uses it to what is used; files, backed up before, when nothing is mounted
// any more; the credentials last, so that there is a way back until then; and then the
// kubelet's hold is released.
//
// The recipe, a dry run and every list of an inventory follow it: a kind that is in no
// stage, and not Reported, does not exist.
func Stages() []Stage {
	return []Stage{
		{ID: "objections", Title: "Look for what may not be deleted"},
		{ID: "etcd", Title: "Take this host's member out of the etcd cluster", Kinds: [][]Kind{{KindMember}}},
		{ID: "kubelet", Title: "Stop and hold the kubelet", Kinds: [][]Kind{{KindUnit}}},
		{ID: "containers", Title: "Stop and remove the pods' containers", Kinds: [][]Kind{{KindSandbox, KindContainer}}},
		{ID: "processes", Title: "End what is left of the pods' processes", Kinds: [][]Kind{{KindProcess}}},
		{ID: "mounts", Title: "Unmount what is mounted for pods", Kinds: [][]Kind{{KindLoop}, {KindMount}, {KindBlock}}},
		{ID: "netns", Title: "Remove the pods' network namespaces", Kinds: [][]Kind{{KindNetNS}}},
		{ID: "programs", Title: "Detach the pod network's BPF programs from what stays", Kinds: [][]Kind{{KindProgram}}},
		{ID: "virtual-services", Title: "Delete Kubernetes' virtual services", Kinds: [][]Kind{{KindVirtual}}},
		{ID: "links", Title: "Delete the pod network's links", Kinds: [][]Kind{{KindLink}, {KindAddress}}},
		{ID: "routes", Title: "Delete the pod network's routes", Kinds: [][]Kind{{KindRoute, KindRule, KindIPsec}}},
		{ID: "packet-filter", Title: "Delete Kubernetes' packet-filter rules", Kinds: [][]Kind{{KindJump}, {KindTable, KindChain}}},
		{ID: "ipsets", Title: "Destroy Kubernetes' ip sets", Kinds: [][]Kind{{KindIPSet}}},
		{ID: "connections", Title: "Forget the connections of pods and services"},
		{ID: "bpf", Title: "Unpin the pod network's BPF programs", Kinds: [][]Kind{{KindPin}}},
		{ID: "cgroups", Title: "Remove the pods' cgroups", Kinds: [][]Kind{{KindCgroup}}},
		{ID: "backup", Title: "Back up the configuration that goes"},
		{ID: "files", Title: "Remove Kubernetes' and the network's files", Kinds: [][]Kind{{KindFile, KindDir}}},
		{ID: "credentials", Title: "Delete the node's credentials", takes: func(it Item) bool { return it.Turn == AsCredential }},
		{ID: "release", Title: "Release the kubelet's unit", takes: func(it Item) bool { return it.Turn == AsHold }},
	}
}

// Reported are the kinds that an inventory names and no removal takes away.
func Reported() []Kind { return []Kind{KindFilter, KindFlags, KindSysctl} }

// StageOf is the stage in which a thing goes. It reports false for one that no stage
// removes.
func StageOf(it Item) (Stage, bool) {
	order := Stages()
	stage, _ := place(order, it)
	if stage == len(order) {
		return Stage{}, false
	}
	return order[stage], true
}

// place is where in an order a thing goes: the number of its stage, and of the group in
// that. What has none comes last.
func place(order []Stage, it Item) (stage, group int) {
	if n := slices.IndexFunc(order, func(s Stage) bool { return s.takes != nil && s.takes(it) }); n >= 0 {
		return n, 0
	}
	for n, s := range order {
		if g := slices.IndexFunc(s.Kinds, func(kinds []Kind) bool { return slices.Contains(kinds, it.Kind) }); g >= 0 {
			return n, g
		}
	}
	return len(order), 0
}

// kinds are all kinds, in the order in which they are removed.
func kinds() []Kind {
	var out []Kind
	for _, s := range Stages() {
		out = append(out, slices.Concat(s.Kinds...)...)
	}
	return append(out, Reported()...)
}

// within orders things of one group: the network's own agents after all pods that need
// them, deeper mounts and directories first, and the ports of a bridge before the
// bridge.
func within(a, b Item) int {
	switch {
	case a.Turn != AfterOthers && b.Turn == AfterOthers:
		return -1
	case a.Turn == AfterOthers && b.Turn != AfterOthers:
		return 1
	case slices.Contains([]Kind{KindMount, KindFile, KindDir, KindCgroup}, a.Kind):
		return strings.Compare(b.Name, a.Name)
	case a.Kind == KindLink:
		return cmp.Or(-cmp.Compare(len(a.In), len(b.In)), strings.Compare(a.Name, b.Name))
	}
	return 0
}
