// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (

	// killLimit is how long killed processes may take to be gone.
	killLimit = 5 * time.Second
)

// podRoots are where a kubelet keeps the pods' cgroups, relative to the top of
// a hierarchy: in its cgroupRoot, by the names of the cgroupfs driver and of
// systemd's. kind's kubelets use /kubelet. Others further down are those of a
// cluster that runs in containers on this host, and not ours.
func podRoots(cgroupRoot string) []string {
	out := []string{"kubepods", "kubepods.slice", "kubelet/kubepods", "kubelet.slice/kubelet-kubepods.slice"}
	root := strings.Trim(filepath.Clean("/"+cgroupRoot), "/")
	if root == "" {
		return out
	}
	units, name := "", ""
	for part := range strings.SplitSeq(root, "/") {
		name += part + "-"
		units += strings.TrimSuffix(name, "-") + ".slice/"
	}
	return append(out, root+"/kubepods", units+name+"kubepods.slice")
}

// podCgroups finds the roots of the pods' cgroups in all hierarchies: version 2
// has one, version 1 one in each directory.
func (t Runtime) podCgroups() ([]string, error) {
	hierarchies := []string{""}
	names, err := t.Names(inventory.CgroupDir)
	if err != nil {
		return nil, err
	}
	var kind unix.Statfs_t
	switch err := unix.Statfs(t.Path(inventory.CgroupDir), &kind); {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("look at the file system of %s: %w", inventory.CgroupDir, err)
	case err == nil && kind.Type != unix.CGROUP2_SUPER_MAGIC:
		hierarchies = append(hierarchies, names...)
	}
	var out []string
	for _, hierarchy := range hierarchies {
		for _, root := range podRoots(t.Places().CgroupRoot) {
			path := filepath.Join(inventory.CgroupDir, hierarchy, root)
			info, err := os.Lstat(t.Path(path))
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
				return nil, fmt.Errorf("look for the pods' cgroups: %w", err)
			}
			if err == nil && info.IsDir() {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// The bounds of what is known about the pods' processes at a time.
const (
	mostPids   = 1 << 16
	mostOfPids = 1 << 20
	mostShown  = 500
)

// podProcesses are the processes in the pods' cgroups, by pid. Where there are too
// many cgroups or processes, some of them and errTooMany.
func (t Runtime) podProcesses() (map[int]string, error) {
	roots, err := t.podCgroups()
	out := map[int]string{}
	for _, root := range roots {
		w := cgroupWalk{root: t.Path(root), enter: func(dir int, path string) (bool, error) {
			if events, err := readAt(dir, "cgroup.events", part.MostOfFile); err == nil && bytes.Contains(events, []byte("populated 0")) {
				return false, nil // nor do those in it
			}
			raw, err := readAt(dir, "cgroup.procs", mostOfPids)
			if err != nil && !gone(err) && !errors.Is(err, unix.EOPNOTSUPP) {
				return false, fmt.Errorf("read the processes of cgroup %s: %w", path, err)
			}
			for line := range bytes.FieldsSeq(raw) {
				if pid, err := strconv.Atoi(string(line)); err == nil && pid > 1 && pid != os.Getpid() {
					out[pid] = path
				}
			}
			if len(out) > mostPids || len(raw) == mostOfPids {
				return false, errTooMany
			}
			return true, nil
		}}
		if walkErr := w.run(); walkErr != nil && !errors.Is(walkErr, fs.ErrNotExist) {
			err = errors.Join(err, walkErr)
		}
	}
	return out, err
}

// Processes are what is left of pods when the runtime knows of no container any
// more: orphans in the pods' cgroups, and shims. Neither is found by its name. What is in
// a pod's namespaces alone is named, and stays.
func (t Runtime) Processes() part.Part {
	return part.Part{
		ID: "processes", Kind: inventory.KindProcess,
		Look: func(ctx context.Context) (part.Findings, error) {
			var s part.Findings
			pids, err := t.podProcesses()
			known := t.knownContainers(ctx)
			for _, pid := range slices.Sorted(maps.Keys(pids)) {
				if known(pids[pid]) {
					continue // ends with its container
				}
				s.Add(inventory.Item{
					Kind: inventory.KindProcess, Name: commandName(pid), ID: strconv.Itoa(pid), In: pids[pid], Owner: inventory.Runtime,
					Fate: inventory.Goes,
				})
				if len(s.Items) > mostShown && err == nil {
					err = errTooMany
					break
				}
			}
			if errors.Is(err, errTooMany) { // which is no reason not to end them
				err = nil
				s.Add(inventory.Item{
					Kind: inventory.KindProcess, Name: "and more processes of pods, not counted", In: inventory.CgroupDir,
					Owner: inventory.Runtime, Fate: inventory.Goes,
				})
			}
			stray, shimErr := t.strayShims(ctx)
			for _, p := range stray {
				s.Add(inventory.Item{
					Kind: inventory.KindProcess, Name: commandName(p.pid), ID: strconv.Itoa(p.pid), Owner: inventory.Runtime,
					Fate: inventory.Goes, Detail: "of sandbox " + p.sandbox,
				})
			}
			t.addOutsiders(ctx, &s, pids)
			return s, errors.Join(err, shimErr)
		},
		Take: func(ctx context.Context, report plan.Report) error {
			if err := t.killProcesses(ctx, report); err != nil {
				return err
			}
			return t.endShims(ctx, report)
		},
	}
}

// knownContainers reports of a cgroup whether it is that of a container or
// sandbox which the runtime lists. If the runtime does not answer, none is.
func (t Runtime) knownContainers(ctx context.Context) func(cgroup string) bool {
	s, err := t.Look(ctx)
	door := t.DoorIDs(ctx)
	return func(cgroup string) bool {
		of := func(id string) bool { return strings.Contains(cgroup, id) }
		return slices.ContainsFunc(door, of) || err == nil && slices.ContainsFunc(s.Items, func(it inventory.Item) bool { return of(it.ID) })
	}
}

// Cgroups are the pods' cgroups, empty by now.
func (t Runtime) Cgroups() part.Part {
	return part.Part{
		ID: "cgroups", Kind: inventory.KindCgroup,
		Look: func(context.Context) (part.Findings, error) {
			var s part.Findings
			roots, err := t.podCgroups()
			for _, root := range roots {
				s.Add(inventory.Item{Kind: inventory.KindCgroup, Name: root, Owner: inventory.Kubelet, Fate: inventory.Goes})
			}
			return s, err
		},
		Take: t.removeCgroups,
	}
}

// removeCgroups has systemd forget its slices, which removes their cgroups,
// and removes what is left (the cgroupfs driver's, other hierarchies').
func (t Runtime) removeCgroups(ctx context.Context, report plan.Report) error {
	for _, pattern := range t.podSlices() {
		units, err := t.Units(ctx, pattern)
		if errors.Is(err, host.ErrNoSystemd) {
			break
		}
		if err == nil && len(units) > 0 {
			report("stopping %d slices", len(units))
			err = t.StopUnit(ctx, units...)
		}
		if err != nil {
			return err
		}
	}
	roots, err := t.podCgroups()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := removeTree(t.Path(root)); err != nil {
			return err
		}
		report("removed %s", root)
	}
	return nil
}

// podSlices are patterns of systemd's units for the pods' cgroups.
func (t Runtime) podSlices() []string {
	var out []string
	for _, root := range podRoots(t.Places().CgroupRoot) {
		if name, is := strings.CutSuffix(filepath.Base(root), ".slice"); is {
			out = append(out, name+".slice", name+"-*.slice")
		}
	}
	return out
}

// removeTree removes a cgroup with those in it, deepest first. Only the
// directories are real.
func removeTree(dir string) error {
	w := cgroupWalk{root: dir, leave: func(parent int, name string) error {
		if err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	}}
	if err := w.run(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
