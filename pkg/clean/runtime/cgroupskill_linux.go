// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// commandName is how a process calls itself.
func commandName(pid int) string {
	name, _ := host.ReadHead(fmt.Sprintf("/proc/%d/comm", pid), part.MostOfFile)
	return text.Short(string(name), 64)
}

// killProcesses ends what is in the pods' cgroups, however fast it makes more.
func (t Runtime) killProcesses(ctx context.Context, report plan.Report) error {
	deadline := time.Now().Add(killLimit)
	for told := 0; ; {
		pids, err := t.podProcesses()
		if err != nil && !errors.Is(err, errTooMany) || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of pods do not end", len(pids))
		}
		if err := t.killAtOnce(pids); err != nil {
			return err
		}
		for pid := range pids {
			if told++; told <= mostTold {
				report("killing %s (pid %d)", commandName(pid), pid)
			}
			if err := kill(pid); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				break
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// mostTold is how many processes are named that are killed.
const mostTold = 50

// killAtOnce has the kernel kill everything in the pods' cgroups where there are
// many processes: one by one, they could multiply in the meantime. Before Linux
// 5.14, and in version 1 of cgroups, it cannot.
func (t Runtime) killAtOnce(pids map[int]string) error {
	if len(pids) <= mostTold {
		return nil
	}
	roots, err := t.podCgroups()
	self, readErr := host.ReadPlain("/proc/self/cgroup", part.MostOfFile)
	if err = errors.Join(err, readErr); err != nil || strings.Contains(string(self), "kubepods") {
		return err // we would be among them
	}
	for _, root := range roots {
		f, err := os.OpenFile(t.Path(filepath.Join(root, "cgroup.kill")), os.O_WRONLY, 0)
		if err != nil {
			continue // one by one, then
		}
		_, err = f.WriteString("1")
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("kill everything in cgroup %s: %w", root, err)
		}
	}
	return nil
}

// endByForce kills what runs in the cgroups of pods that the runtime cannot stop,
// so that it finds them ended when it is asked again.
func (t Runtime) endByForce(pods []pod, report plan.Report) {
	pids, err := t.podProcesses()
	if err != nil && !errors.Is(err, errTooMany) {
		return // the runtime is asked all the same
	}
	for pid, cgroup := range pids {
		stuck := slices.ContainsFunc(pods, func(p pod) bool {
			return p.ID != "" && strings.Contains(cgroup, p.ID) ||
				slices.ContainsFunc(p.inside, func(c cri.Container) bool { return strings.Contains(cgroup, c.ID) })
		})
		if stuck {
			report("killing %s (pid %d), which the runtime cannot stop", commandName(pid), pid)
			_ = kill(pid) // what stays shows when the pod is removed
		}
	}
}

// kill kills a process if it is still in a pod's cgroup.
func kill(pid int) error {
	return killIf(pid, func() bool {
		raw, err := host.ReadHead(fmt.Sprintf("/proc/%d/cgroup", pid), part.MostOfFile)
		return err == nil && strings.Contains(string(raw), "kubepods")
	})
}
