// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
)

// What a pod can only read tells nothing of what it wrote, but for a bus: over that one it has
// the host's own services write.
func TestWhatAPodWasGivenToReadCountsForABusAlone(t *testing.T) {
	for name, c := range map[string]struct {
		mount cri.Mount
		want  int
	}{
		"a directory to write to":  {cri.Mount{HostPath: "/srv/data"}, 1},
		"one to read":              {cri.Mount{HostPath: "/srv/data", ReadOnly: true}, 0},
		"the system's bus to read": {cri.Mount{HostPath: "/run/dbus", ReadOnly: true}, 1},
		"its socket to read":       {cri.Mount{HostPath: "/run/dbus/system_bus_socket", ReadOnly: true}, 1},
		"systemd's own to read":    {cri.Mount{HostPath: "/run/systemd", ReadOnly: true}, 1},
		"all of /run to read":      {cri.Mount{HostPath: "/run", ReadOnly: true}, 1},
		"one in /run to read":      {cri.Mount{HostPath: "/run/mine", ReadOnly: true}, 0},
		"no path":                  {cri.Mount{HostPath: "run/dbus", ReadOnly: true}, 0},
	} {
		var out part.Shares
		Runtime{Host: part.Host{Local: host.Local{Root: t.TempDir()}}}.addShare(&out, c.mount, "ns/pod", nil)
		if len(out.List) != c.want {
			t.Errorf("%s: %+v", name, out.List)
		}
	}
}
