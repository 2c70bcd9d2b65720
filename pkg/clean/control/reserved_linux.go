// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// runtimeDropIns is where systemd keeps what it was told to set until the next boot
// (systemd.unit(5)).
const runtimeDropIns = "/run/systemd/system.control"

// mostReserved bounds the files of one unit that are read.
const mostReserved = 64

// Reserved names what the kubelet limits of the host's own services (enforceNodeAllocatable
// with systemReservedCgroup, kubeReservedCgroup; pkg/kubelet/cm/node_container_manager_linux.go):
// nothing takes that back before the next boot, and what the host does next is ended by it
// (kubernetes/kubernetes#72881, lework/kainstall#19). What was there before is noted nowhere,
// and an administrator may have set the same, so it stays.
func (t Control) Reserved() part.Part {
	return part.Part{ID: "reserved", Title: "Limits of the host's own services", Kind: inventory.KindCgroup,
		Look: func(context.Context) (part.Findings, error) {
			var s part.Findings
			for _, reserved := range t.Places().Reserved {
				if !t.lookLimits(&s, filepath.Base(reserved)) {
					t.lookCgroup(&s, reserved)
				}
			}
			return s, nil
		}}
}

// lookLimits names what systemd was told of a unit since the join, and reports whether there is any.
func (t Control) lookLimits(s *part.Findings, unit string) bool {
	dir := filepath.Join(runtimeDropIns, unit+".d")
	files, err := t.Listed(dir, ".conf")
	s.Missed(inventory.KindDir, dir, err)
	var limits, undo []string
	for _, path := range files[:min(len(files), mostReserved)] {
		raw, err := t.ReadPlain(path, part.MostOfFile)
		s.Missed(inventory.KindFile, path, err)
		if !t.Younger(path) {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			name, value, is := strings.Cut(strings.TrimSpace(line), "=")
			known := []string{"MemoryLimit", "MemoryMax", "CPUShares", "CPUWeight", "TasksMax", "AllowedCPUs", "AllowedMemoryNodes"}
			if is && value != "" && value != "infinity" && slices.Contains(known, name) {
				limits, undo = append(limits, name+"="+value), append(undo, name+"=")
			}
		}
	}
	if len(limits) > 0 {
		s.Add(inventory.Item{Kind: inventory.KindDir, Name: dir, Owner: inventory.Foreign, Fate: inventory.Stays,
			Why: "nothing tells what it was before; undo it: " +
				text.Command(append([]string{"systemctl", "set-property", "--runtime", unit}, undo...)...),
			Refers: "as the kubelet limits the host's own services, until the next boot: " + strings.Join(limits, ", ")})
	}
	return len(limits) > 0
}

// lookCgroup names a cgroup whose memory is limited, where systemd was told nothing: a
// kubelet with the cgroupfs driver writes there itself.
func (t Control) lookCgroup(s *part.Findings, reserved string) {
	const unlimited = 1 << 62
	for _, path := range []string{
		filepath.Join(inventory.CgroupDir, reserved, "memory.max"),
		filepath.Join(inventory.CgroupDir, "memory", reserved, "memory.limit_in_bytes"),
	} {
		raw, err := t.ReadPlain(path, part.MostOfFile)
		if bytes, no := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil && no == nil && bytes < unlimited {
			s.Add(inventory.Item{Kind: inventory.KindCgroup, Name: filepath.Dir(path), Owner: inventory.Foreign, Fate: inventory.Stays,
				Why:    "nothing tells what it was before; set it in " + filepath.Base(path),
				Refers: "as the kubelet limits the host's own services, until the next boot: memory " + strconv.FormatInt(bytes, 10)})
		}
	}
}
