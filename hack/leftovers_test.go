// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
)

// TestWhatANetworkLeavesIsWhatACleaningKnows: what `cni uninstall` says of the directories
// that a network leaves, and what a cleaning takes, are two lists that may not drift apart.
func TestWhatANetworkLeavesIsWhatACleaningKnows(t *testing.T) {
	var taken []string
	for _, p := range inventory.WholePaths() {
		taken = append(taken, p.Path)
	}
	// These are decided one by one, by what is in them, in rooms of pkg/clean.
	byContent := []string{"/etc/cni/net.d", "/opt/cni/bin", "/var/lib/cni", "/sys/fs/bpf", "/etc/sysctl.d"}
	// An Open vSwitch may be the host's own: these are named, and stay.
	named := []string{"/run/openvswitch", "/run/ovn", "/etc/openvswitch", "/etc/origin/openvswitch", "/etc/origin/ovn",
		"/var/log/openvswitch", "/var/log/ovn"}
	within := func(path string, dirs []string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool {
			return path == dir || filepath.Dir(path) == dir || strings.HasPrefix(path, dir+"/")
		})
	}
	for _, n := range catalogue.Networks() {
		for _, path := range n.Leaves.Paths {
			if rest, is := strings.CutPrefix(path, "/var/run/"); is {
				path = "/run/" + rest
			}
			if !within(path, slices.Concat(taken, byContent, named)) {
				t.Errorf("%s leaves %s, and no cleaning knows it: see WholePaths in pkg/clean/inventory/paths.go", n.Name, path)
			}
		}
	}
}
