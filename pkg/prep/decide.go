// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"cmp"
	"fmt"
	"slices"
)

// check is one thing that a host needs. It says nothing of what it does not know.
type check struct {
	id string
	// parts are those of the facts that it reads, by their names in Facts.Unread.
	parts []string
	look  func(f Facts, w Wanted) []Finding
}

// checks are all of them, in the order of a report: a new one is a function and a line.
func checks() []check {
	return []check{
		{"PREP001-kernel", []string{"kernel"}, kernelFloor},
		{"PREP002-cgroup", []string{"kernel"}, cgroupVersion},
		{"PREP003-systemd", nil, systemdRuns},
		{"PREP004-reserved-cgroups", []string{"cgroups"}, reservedCgroups},
		{"PREP010-swap", []string{"swap"}, swapNow},
		{"PREP011-swap-at-boot", []string{"swap"}, swapAtBoot},
		{"PREP020-modules", []string{"modules"}, modulesNow},
		{"PREP021-modules-at-boot", []string{"modules"}, modulesAtBoot},
		{"PREP030-sysctl", []string{"sysctl"}, sysctlsNow},
		{"PREP031-sysctl-at-boot", []string{"sysctl"}, sysctlsAtBoot},
		{"PREP040-runtime", []string{"runtime"}, runtimeThere},
		{"PREP041-cri", []string{"runtime"}, criAnswers},
		{"PREP042-cgroup-driver", []string{"runtime"}, cgroupDriver},
		{"PREP043-sandbox-image", []string{"runtime"}, sandboxImage},
		{"PREP044-registries", []string{"runtime"}, registries},
		{"PREP045-cri-sockets", []string{"runtime"}, criSockets},
		{"PREP050-cni-bin", []string{"cni"}, cniBin},
		{"PREP051-cni-configs", []string{"cni"}, cniConfigs},
		{"PREP060-selinux", []string{"selinux"}, selinux},
		{"PREP061-firewall", []string{"firewall"}, firewall},
		{"PREP070-clock", []string{"clock"}, clock},
		{"PREP071-time-zone", nil, timeZone},
		{"PREP080-hostname", nil, hostname},
		{"PREP081-name-resolves", []string{"name"}, nameResolves},
		{"PREP082-twin", nil, twin},
		{"PREP083-resolv-conf", []string{"resolver"}, resolvConf},
		{"PREP084-networks", []string{"links"}, overlaps},
		{"PREP090-ports", []string{"ports"}, portsFree},
		{"PREP091-disk", []string{"disk"}, diskSpace},
		{EarlierCluster, []string{"traces"}, earlierCluster},
		{"PREP093-leftovers", []string{"leftovers"}, leftovers},
		{"PREP094-manifests", []string{"traces"}, manifests},
		{"PREP095-etcd-data", []string{"etcd"}, etcdData},
		{"PREP100-programs", []string{"programs"}, programs},
		{"PREP101-skew", []string{"programs"}, skew},
		{"PREP102-holds", []string{"packages"}, holds},
		{Packages, nil, packagesToCome},
	}
}

// IDs are the identifiers of all checks.
func IDs() []string {
	var all []string
	for _, c := range checks() {
		all = append(all, c.id)
	}
	return all
}

// Decide says what the host lacks. It is pure: the same facts, the same report.
func Decide(f Facts, w Wanted) Report {
	var r Report
	for _, c := range checks() {
		if unread := c.unread(f); unread != "" {
			r.Unread = append(r.Unread, fmt.Sprintf("%s: %s", c.id, unread))
			if c.mayBlock() {
				r.Doubtful = append(r.Doubtful, c.id)
			}
			continue
		}
		found := c.look(f, w)
		for i := range found {
			found[i].ID = c.id
		}
		if len(found) == 0 {
			r.Checked = append(r.Checked, c.id)
		}
		r.Findings = append(r.Findings, found...)
	}
	return r
}

// unread is why a check cannot speak; empty if it can.
func (c check) unread(f Facts) string {
	for _, part := range c.parts {
		if why, lacking := f.Unread[part]; lacking {
			return why
		}
	}
	return ""
}

// mayBlock reports whether a check reads something that kubeadm, the kubelet or pods
// fail without. The other checks warn, or say what a host of a distribution may not have
// (a tool that holds packages, a firewall that answers).
func (c check) mayBlock() bool {
	return slices.ContainsFunc(c.parts, func(part string) bool {
		return slices.Contains([]string{"kernel", "swap", "modules", "sysctl", "runtime", "ports", "traces", "etcd", "cgroups", "links",
			"programs"}, part)
	})
}

// byWeight orders findings by what matters most; those of one severity keep their order.
func byWeight(all []Finding) []Finding {
	rank := map[Severity]int{Blocks: 0, Warns: 1, Notes: 2}
	return slices.SortedStableFunc(slices.Values(all), func(a, b Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
}
