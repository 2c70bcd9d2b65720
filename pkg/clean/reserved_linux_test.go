// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A kubelet may limit the slices of the host's own services, and nothing takes that back
// before the next boot (kubernetes/kubernetes#72881).
func TestTheLimitsOfTheHostsOwnServicesAreNamed(t *testing.T) {
	const slice = "/run/systemd/system.control/system.slice.d"
	const limit = "printf '[Slice]\\nMemoryMax=3221225472\\n' > ." + slice + "/50-MemoryMax.conf; "
	for name, tc := range map[string]struct {
		older, younger string
		argument       []string
		but            []string
	}{
		"by systemd": {
			younger: limit + "echo 'systemReservedCgroup: /system.slice' > var/lib/kubelet/config.yaml", but: []string{"directory " + slice},
		},
		"by a flag": {younger: limit, argument: []string{"--system-reserved-cgroup=/system.slice"}, but: []string{"directory " + slice}},
		"by the kubelet itself": {
			younger:  "mkdir -p sys/fs/cgroup/memory/kube; echo 1073741824 > sys/fs/cgroup/memory/kube/memory.limit_in_bytes",
			argument: []string{"--kube-reserved-cgroup", "/kube"}, but: []string{"cgroup /sys/fs/cgroup/memory/kube"},
		},
		"no limit": {
			younger: "mkdir -p sys/fs/cgroup/system.slice; echo max > sys/fs/cgroup/system.slice/memory.max; printf '[Slice]\\nMemoryMax=\\n' > ." +
				slice + "/50-MemoryMax.conf",
			argument: []string{"--system-reserved-cgroup=/system.slice"},
		},
		"an administrator's, older than the join":   {older: limit, argument: []string{"--system-reserved-cgroup=/system.slice"}},
		"of a slice that the kubelet was not given": {younger: limit},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("mkdir -p ." + slice + "; " + tc.older + "\nborn; old")
				w.join()
				w.script(tc.younger)
				if tc.argument != nil {
					w.runs("kubelet", tc.argument...)
				}
				if diff := cmp.Diff(tc.but, names(w.remove().But)); diff != "" {
					w.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
