// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// patience is how long a runtime may take to stop a pod before the wait says
	// what it waits for, and how often it looks whether that has changed.
	patience = 5 * time.Second
	// mostOfEnviron is how much of a process's environment is read: a runtime gives
	// a network plugin its own environment and half a dozen variables.
	mostOfEnviron = 64 << 10
	// mostPlugins is how many plugins of one pod are named or ended.
	mostPlugins = 16
)

// plugins are the processes that take down the network of a sandbox: a runtime
// calls a network plugin with CNI_COMMAND=DEL and the sandbox in CNI_CONTAINERID
// (CNI specification 1.0, "Execution Protocol"), and what the plugin calls inherits
// both. Every user can start a program with such an environment: a plugin is root's
// and runs on the host itself. None are found for an id that is no runtime's.
func (t Runtime) plugins(sandbox string) []int {
	if !regexp.MustCompile(`^[0-9a-f]{32,64}$`).MatchString(sandbox) { // what runtimes call a sandbox
		return nil
	}
	var out []int
	_ = host.Processes(func(pid int) bool { // what cannot be read is not named
		if t.isPlugin(pid, sandbox) {
			out = append(out, pid)
		}
		return len(out) < mostPlugins
	})
	slices.Sort(out)
	return out
}

// isPlugin reports whether a process takes down the network of a sandbox.
func (t Runtime) isPlugin(pid int, sandbox string) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	raw, err := host.ReadHead(filepath.Join(dir, "environ"), mostOfEnviron)
	if err != nil {
		return false
	}
	environ := strings.Split(string(raw), "\x00")
	return slices.Contains(environ, "CNI_COMMAND=DEL") && slices.Contains(environ, "CNI_CONTAINERID="+sandbox) &&
		roots(dir) && t.SharesMounts(pid)
}

// named are plugins as a person finds them on the host.
func named(plugins []int) string {
	var out []string
	for _, pid := range plugins {
		out = append(out, fmt.Sprintf("%s (pid %d)", commandName(pid), pid))
	}
	return strings.Join(out, ", ")
}

// watched makes a call that stops a pod, and says what it waits for when that takes
// long: the network plugin that does not end, or the runtime itself.
func (t Runtime) watched(ctx context.Context, p pod, report plan.Report, call func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- bounded(ctx, sandboxLimit, call) }()
	looks := time.NewTicker(patience)
	defer looks.Stop()
	for told := ""; ; {
		select {
		case err := <-done:
			return err
		case <-looks.C:
		}
		why := "the container runtime, which has not stopped it yet"
		if plugins := t.plugins(p.ID); len(plugins) > 0 {
			why = "its network plugin, which has not ended: " + named(plugins)
		}
		if why != told {
			report("pod %s/%s waits for %s", p.Namespace, p.Name, why)
			told = why
		}
	}
}

// endPlugins kills the plugins that still take down the network of a pod that is
// removed without it. A runtime waits for a plugin as long as anything that the
// plugin has started holds its output (containerd 2.2), also after it has killed
// the plugin.
func (t Runtime) endPlugins(p pod, report plan.Report) {
	for _, pid := range t.plugins(p.ID) {
		report("killing network plugin %s (pid %d), which does not end for pod %s/%s", commandName(pid), pid, p.Namespace, p.Name)
		_ = killIf(pid, func() bool { return t.isPlugin(pid, p.ID) }) // what stays shows when the pod is removed
	}
}
