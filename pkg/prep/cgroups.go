// SPDX-License-Identifier: Apache-2.0

package prep

import (
	slashed "path"
	"strings"
)

// CgroupPath is where the kubelet finds a cgroup of its configuration, below the hierarchy's
// root. With systemd's driver it is a slice, which lies in those that its name begins with.
func CgroupPath(name, driver string) string {
	name = slashed.Join("/", name)
	if driver == "cgroupfs" {
		return name
	}
	slice, at := strings.TrimSuffix(slashed.Base(name), ".slice"), "/"
	parts := strings.Split(slice, "-")
	for i := range parts {
		at = slashed.Join(at, strings.Join(parts[:i+1], "-")+".slice")
	}
	return at
}

// reservedCgroups: the kubelet limits what runs in them, and makes none
// (kubernetes/kubernetes#110288).
func reservedCgroups(f Facts, w Wanted) (all []Finding) {
	for _, name := range f.Kernel.NoCgroup {
		way := "make it before the kubelet starts: mkdir in each hierarchy below /sys/fs/cgroup, by a unit of your own"
		if w.CgroupDriver != "cgroupfs" {
			slice := slashed.Base(CgroupPath(name, w.CgroupDriver))
			way = "make it: systemctl start " + slice + "; for good: a drop-in of the kubelet's unit with \"Wants=" + slice +
				"\" and \"After=" + slice + "\", or with \"Slice=" + slice + "\", so that the kubelet itself runs there"
		}
		all = append(all, Finding{Severity: Blocks, Text: "there is no cgroup " + name +
			", which the cluster's kubelets limit (kubeReservedCgroup, systemReservedCgroup): they do not start without it", WayOut: way})
	}
	return all
}
