// SPDX-License-Identifier: Apache-2.0

package networks

import (
	"slices"
	"strings"
	"testing"
)

// What is said of a network decides what may run privileged, which ports are opened and
// which files are a network's: nothing of it may be empty, or be another's.
func TestEachNetworkIsTold(t *testing.T) {
	names, sets, cnis, files := map[string]bool{}, map[string]bool{}, map[string]bool{"": false}, map[string]bool{}
	for _, n := range Known() {
		for what, seen := range map[string]struct {
			of    map[string]bool
			value string
		}{
			"name": {names, n.Name}, "daemonset": {sets, n.DaemonSet}, "CNI network": {cnis, n.CNI}, "file": {files, n.Conflist},
		} {
			if seen.of[seen.value] || seen.value == "" && what != "CNI network" {
				t.Errorf("%s: the %s %q is empty, or another's", n.Name, what, seen.value)
			}
			seen.of[seen.value] = seen.value != ""
		}
		if n.Title == "" || !strings.HasSuffix(n.Conflist, ".conflist") || strings.Contains(n.Conflist, "/") {
			t.Errorf("%s: title %q, file %q", n.Name, n.Title, n.Conflist)
		}
		// A namespace that all may use belongs to no network.
		if slices.ContainsFunc(n.Namespaces, func(space string) bool {
			return space == "" || space == "default" || strings.HasPrefix(space, "kube-s")
		}) {
			t.Errorf("%s: namespaces %v", n.Name, n.Namespaces)
		}
		for _, p := range n.Ports {
			if p.Number < 1 || p.Number > 65535 || p.Protocol != "TCP" && p.Protocol != "UDP" || p.For == "" {
				t.Errorf("%s: port %+v", n.Name, p)
			}
		}
		if found, known := Find(n.Name); !known || found.DaemonSet != n.DaemonSet {
			t.Errorf("%s is not found", n.Name)
		}
	}
	if _, known := Find("sneakernet"); known {
		t.Error("a network is known that is not there")
	}
}
