// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// savedFilters are the files, as patterns, from which the next boot fills the packet filter,
// and those that say whom a service of this host's lets in. Saved while the host was a node,
// they bring Kubernetes' rules back, or go on to let a cluster's addresses in
// (kubernetes/kubeadm#689).
func savedFilters() []string {
	return []string{
		"/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/iptables/*.rules", "/etc/iptables/*ipset*", "/etc/iptables.rules",
		"/etc/iptables.up.rules", "/etc/network/iptables*", "/var/lib/iptables/rules*", "/var/lib/ip6tables/rules*", "/var/lib/ipset/rules*",
		"/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables", "/etc/sysconfig/ipset", "/etc/sysconfig/ipset.d/*",
		"/etc/sysconfig/nftables.conf", "/etc/nftables.conf", "/etc/nftables/*", "/etc/nftables.d/*", "/var/lib/nftables/*",
		"/etc/ipset.conf", "/etc/ipset", "/etc/ipset.d/*", "/etc/ferm/*.conf", "/etc/ferm/ferm.d/*",
		"/etc/shorewall/*", "/etc/shorewall6/*", "/etc/ufw/*.rules", "/var/lib/ufw/*.rules",
		"/etc/firewalld/direct.xml", "/etc/firewalld/zones/*.xml", "/etc/firewalld/policies/*.xml", "/etc/firewalld/ipsets/*.xml",
		"/etc/exports", "/etc/exports.d/*.exports", "/etc/hosts.allow", "/etc/hosts.deny",
	}
}

// saved says what of the cluster's a saved packet filter has: a chain, table or set of
// Kubernetes' or its network's, or an address or network of the cluster's; empty for none.
// Chains of the standard plugins are other programs', too.
func (r reach) saved(setting string) string {
	named, table := regexp.MustCompile(`^(?:(?:add|create) (?:chain|set|map) (?:ip6?|inet|arp|bridge) \S+ |:|-A |-N |chain |set |map |create )(\S+)`),
		regexp.MustCompile(`^(?:(?:add|create) )?table (\S+ [^\s{]+)`)
	address := regexp.MustCompile(`[0-9a-fA-F:]+::/[0-9]+|` + r.address.String())
	chains, sets, tables := ownership.Chains(), ownership.Sets(), ownership.Tables()
	brings := func(name string, owners ...inventory.Owner) string {
		for _, owner := range owners {
			if owner != inventory.Foreign && owner != inventory.CNIPlugins {
				return "it brings back " + text.Short(name, mostName) + " of " + string(owner)
			}
		}
		return ""
	}
	for line := range strings.Lines(setting) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		what := ""
		if found := named.FindStringSubmatch(line); found != nil {
			what = brings(found[1], chains.Owner(found[1]), sets.Owner(found[1]))
		} else if found := table.FindStringSubmatch(line); found != nil {
			what = brings("table "+found[1], tables.Owner(found[1]))
		}
		if what != "" {
			return what
		}
		for _, word := range address.FindAllString(line, -1) {
			if what := r.letsIn(word); what != "" {
				return what
			}
		}
	}
	return ""
}

// letsIn is saved for one address or network. One that is wider than the cluster's means more
// than the cluster.
func (r reach) letsIn(word string) string {
	network, err := netip.ParsePrefix(word)
	if err != nil {
		if what := r.word(word); what != "" {
			return "it names " + what
		}
		return ""
	}
	beside := func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(network.Addr()) }
	switch {
	case slices.ContainsFunc(r.own, beside):
		return ""
	case r.services.covers(network):
		return "it names " + network.String() + ", of the cluster's Service network"
	case r.pods.covers(network):
		return "it names " + network.String() + ", of the cluster's pod network"
	}
	return ""
}

// covers reports whether a network is one of these, or in one.
func (n networks) covers(network netip.Prefix) bool {
	for bits, of := range n.by {
		if p, err := network.Addr().Prefix(bits); err == nil && bits <= network.Bits() && of[p] {
			return true
		}
	}
	return false
}

// quotas says that the lists of projects have lines that a kubelet wrote for a quota of a pod's
// (pkg/volume/util/fsquota/project.go, 1.36), whose pods ended without it; empty for none. Of
// other lines nothing is known.
func quotas(path, list string, roots []string) string {
	id := regexp.MustCompile(`^volume([0-9]+):([0-9]+)$`)
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		_, dir, is := strings.Cut(line, ":")
		of := id.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "#"):
		case path == projidFile && of != nil && of[1] == of[2]:
			return "it has quotas of the kubelet's (the lines of volume" + text.Short(of[1], mostName) + " and alike)"
		case path == projectsFile && is && slices.ContainsFunc(roots, func(root string) bool { return host.Below(dir, root) }):
			return "it has quotas of the kubelet's (the lines that name " + text.Short(dir, mostName) + " and alike)"
		}
	}
	return ""
}

// The lists of projects, which quotas are for.
const (
	projectsFile = "/etc/projects"
	projidFile   = "/etc/projid"
)
