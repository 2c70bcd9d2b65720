// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// outlives says what an address is that is only to be reached from within the cluster;
// empty for any other. A DNS server of the cluster's that is in neither a network of
// services nor a link's own may be the administrator's.
func outlives(f inventory.Facts, addr netip.Addr, dns []string) string {
	isDNS := addr == cluster.NodeDNSAddress() || slices.Contains(dns, addr.String())
	switch {
	case cluster.InAny(addr, f.ServiceCIDRs) && isDNS, addr.IsLinkLocalUnicast() && isDNS:
		return "the cluster's DNS at " + addr.String()
	case cluster.InAny(addr, f.ServiceCIDRs):
		return "a Service of the cluster at " + addr.String()
	}
	return ""
}

// asks says which address of the cluster's a setting names, by what it says outside of
// comments; empty for none. A whole network is no address that is asked.
func asks(f inventory.Facts, setting string, dns []string) string {
	address := regexp.MustCompile(`[0-9a-fA-F]*[.:][0-9a-fA-F.:]*[0-9a-fA-F]/?`)
	for line := range strings.Lines(setting) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "//") {
			continue
		}
		for at := address.FindStringIndex(line); at != nil; at = address.FindStringIndex(line) {
			addr, err := netip.ParseAddr(line[at[0]:at[1]])
			line = line[at[1]:]
			if err != nil {
				continue
			}
			if what := outlives(f, addr.Unmap(), dns); what != "" {
				return what
			}
		}
	}
	return ""
}

// askingFiles are the settings by which a host itself goes on to ask at an address, as
// patterns, and what it does there: name resolution, which installers point at the
// cluster's DNS (kubernetes-sigs/kubespray#9054, #11440), storage that iscsid logs in to
// with the next boot (openebs/openebs#185), and mounts.
func askingFiles() map[string]string {
	const resolves = "this host asks %s for names"
	out := map[string]string{
		"/etc/iscsi/nodes/*/*/*": "iscsid logs in to %s", "/var/lib/iscsi/nodes/*/*/*": "iscsid logs in to %s",
		"/etc/fstab": "this host mounts from %s", "/etc/auto.*": "this host mounts from %s",
	}
	for _, path := range []string{
		"/etc/resolv.conf", "/run/NetworkManager/resolv.conf", "/run/systemd/resolve/resolv.conf", "/etc/systemd/resolved.conf",
		"/etc/systemd/resolved.conf.d/*.conf",
		"/run/systemd/resolved.conf.d/*.conf", "/etc/systemd/network/*.network", "/etc/NetworkManager/conf.d/*.conf",
		"/etc/NetworkManager/system-connections/*",
		"/etc/dhcp/dhclient.conf", "/etc/dhclient.conf", "/etc/dhcpcd.conf", "/etc/resolvconf.conf", "/etc/resolvconf/resolv.conf.d/*",
		"/etc/netplan/*.yaml",
		"/etc/network/interfaces", "/etc/network/interfaces.d/*", "/etc/sysconfig/network-scripts/ifcfg-*", "/etc/dnsmasq.conf",
		"/etc/dnsmasq.d/*",
	} {
		out[path] = resolves
	}
	return out
}
