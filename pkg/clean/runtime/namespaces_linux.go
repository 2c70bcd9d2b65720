// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// perhapsPods is why a network namespace stays that may be a pod's.
const perhapsPods = "named as a container runtime names a pod's, and nothing else here shows that it is: podman 3 names its own so, too"

// Namespaces are the network namespaces that the runtime named for pods.
func (t Runtime) Namespaces() part.Part {
	return part.Part{
		ID: "netns", Kind: inventory.KindNetNS,
		Look: t.lookNamespaces,
		Take: func(ctx context.Context, report plan.Report) error {
			s, err := t.lookNamespaces(ctx)
			if err != nil {
				return err
			}
			dir := t.Resolve(inventory.NetnsDir) // a link may lead there, and mounts have their real paths
			mine := func(m host.Mount) bool {
				return slices.ContainsFunc(s.Goes(), func(it inventory.Item) bool {
					return it.Name == m.Path || filepath.Join(dir, filepath.Base(it.Name)) == m.Path
				})
			}
			if err := t.UnmountAll(ctx, mine, func(host.Mount) {}); err != nil {
				return err
			}
			for _, it := range s.Goes() {
				if err := t.Remove(it.Name); err != nil {
					return err
				}
				report("removed %s", it.Name)
			}
			return nil
		},
	}
}

func (t Runtime) lookNamespaces(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	names, err := t.Names(inventory.NetnsDir)
	if err != nil {
		return s, err
	}
	mine := podLike(names)
	pods, err := t.podNamespaces(ctx, mine)
	for _, name := range names {
		path := filepath.Join(inventory.NetnsDir, name)
		it := inventory.Item{Kind: inventory.KindNetNS, Name: path, Owner: inventory.CNIPlugins, Fate: inventory.Goes}
		switch {
		case !slices.Contains(mine, path):
			it.Owner, it.Fate, it.Why = inventory.Foreign, inventory.Stays, "not named as a container runtime names a pod's"
		case !slices.Contains(pods, path):
			it.Owner, it.Fate, it.Why, it.Refers = inventory.Foreign, inventory.Stays, perhapsPods, perhapsPods
		}
		s.Add(it)
	}
	return s, err
}

// spacesFile is where a removal writes down the numbers of the pods' namespaces: what was
// brought into one from outside (nsenter, ip netns exec) is in no cgroup of a pod, and
// outlives the pod and its name.
const spacesFile = "pod-namespaces.json"

const (
	// mostSpaces is how many are written down: a pod has two, and two for each container.
	mostSpaces = 1 << 14
	// ticks are those of a second in which the kernel says when a process began (USER_HZ).
	ticks = 100
)

// spaces are the namespaces of pods as they were when a removal began.
type spaces struct {
	// IDs are as the kernel calls them, "net:[4026532412]"; More says that there were more.
	IDs  []string `json:"ids"`
	More bool     `json:"more,omitempty"`
	// Boot is the one in which they have these numbers, and At when in it they were read.
	Boot string `json:"boot"`
	At   uint64 `json:"at"`
}

// dweller is a process: when it began, and in which namespaces it is.
type dweller struct {
	began uint64
	in    []string
}

// spacesOfPods are the namespaces that pods have for themselves: not what they share with the
// host's first process, as those in the host's network do. Of a kind of which the host's own
// is not known, none is a pod's.
func spacesOfPods(first, inPods []string) (ids []string, more bool) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(inPods))) {
		known := slices.ContainsFunc(first, func(of string) bool { return kindOf(of) == kindOf(id) })
		if !known || slices.Contains(first, id) {
			continue
		}
		if len(ids) == mostSpaces {
			return ids, true
		}
		ids = append(ids, id)
	}
	return ids, false
}

// outsiders are those of some processes that are in namespaces of pods, with these. The
// kernel gives the number of a namespace that has ended to the next one. What began before
// the numbers were written down is in the pod's, and so is what began later beside it: it has
// kept the namespace from ending.
func (s spaces) outsiders(boot string, all map[int]dweller) map[int][]string {
	noted, kept, out := s.noted(), map[string]bool{}, map[int][]string{}
	if s.Boot != boot {
		return out
	}
	for _, d := range all {
		for _, id := range d.in {
			kept[id] = kept[id] || noted[id] && d.began <= s.At
		}
	}
	for pid, d := range all {
		for _, id := range d.in {
			if kept[id] {
				out[pid] = append(out[pid], id)
			}
		}
	}
	return out
}

func (s spaces) noted() map[string]bool {
	out := map[string]bool{}
	for _, id := range s.IDs {
		out[id] = true
	}
	return out
}

// kindOf says what a namespace is of, by the kernel's name of it.
func kindOf(id string) string {
	kind, _, _ := strings.Cut(id, ":")
	switch kind {
	case "net":
		return "network"
	case "mnt":
		return "mount"
	case "pid":
		return "process"
	}
	return strings.ToUpper(kind)
}

// began reads from the stat of a process when it began, in ticks since the boot; false for
// one that has ended and that its parent has not asked for.
func began(stat string) (at uint64, alive bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // its name may have anything in it
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	at, err := strconv.ParseUint(fields[19], 10, 64)
	return at, err == nil
}

// spacesOf are the namespaces of a process, as far as it has any that can be entered.
func spacesOf(pid int) (out []string) {
	for _, kind := range []string{"net", "mnt", "pid", "ipc"} {
		if id, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind)); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// addOutsiders adds the processes that are in a namespace of a pod which is gone, and in none
// of the pods' cgroups. Whose they are is not known: they stay. As long as there are pods,
// they may be a part of one that ends with it, as a virtual machine's is.
func (t Runtime) addOutsiders(ctx context.Context, s *part.Findings, inPods map[int]string) {
	const what = "processes in the namespaces of pods"
	found, err := t.outsiders(ctx, inPods)
	if err != nil {
		s.NotLookedAt(inventory.KindProcess, what, err.Error())
	}
	if len(found) == 0 {
		return
	}
	listed, _ := t.Look(ctx) // its own part says what is not known
	if slices.ContainsFunc(listed.Items, func(it inventory.Item) bool { return it.Kind == inventory.KindSandbox }) {
		return
	}
	for i, pid := range slices.Sorted(maps.Keys(found)) {
		if i == mostShown {
			s.NotLookedAt(inventory.KindProcess, what, fmt.Sprintf("there are %d, of which %d are named", len(found), i))
			break
		}
		s.Add(inventory.Item{
			Kind: inventory.KindProcess, Name: commandName(pid), ID: strconv.Itoa(pid), Owner: inventory.Foreign, Fate: inventory.Stays,
			Why: "in no cgroup of a pod, so not provably a pod's", Refers: fmt.Sprintf("it is in the %s namespace of a pod that is gone; "+
				"end it if nothing on this host needs it: kill %d", kindOf(found[pid][0]), pid),
		})
	}
}

// outsiders are the processes in namespaces of pods that are in none of the pods' cgroups, with
// these namespaces: as a removal has written them down. With an error they are not all.
func (t Runtime) outsiders(ctx context.Context, inPods map[int]string) (map[int][]string, error) {
	noted, err := t.recallSpaces()
	if err != nil || len(noted.IDs) == 0 {
		return nil, err
	}
	boot, err := host.BootID()
	if err != nil {
		return nil, err
	}
	all, err := dwellers(ctx, noted.noted(), inPods)
	if err == nil && (noted.More || len(all) == mostPids) {
		err = errTooMany
	}
	return noted.outsiders(boot, all), err
}

// dwellers are the processes that are in a namespace of some numbers, those in pods left out.
func dwellers(ctx context.Context, of map[string]bool, inPods map[int]string) (map[int]dweller, error) {
	out := map[int]dweller{}
	err := host.Processes(func(pid int) bool {
		_, inPod := inPods[pid]
		if in := spacesOf(pid); !inPod && slices.ContainsFunc(in, func(id string) bool { return of[id] }) {
			raw, err := host.ReadHead(fmt.Sprintf("/proc/%d/stat", pid), part.MostOfFile)
			if at, alive := began(string(raw)); err == nil && alive {
				out[pid] = dweller{at, in}
			}
		}
		return len(out) < mostPids && ctx.Err() == nil
	})
	return out, err
}
