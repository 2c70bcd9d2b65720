// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// networks are many networks of which one asks whether an address is in any of them.
type networks struct {
	by map[int]map[netip.Prefix]bool // by the length of their prefix
}

func networksOf(all []string) networks {
	out := networks{by: map[int]map[netip.Prefix]bool{}}
	for _, network := range all {
		p, err := netip.ParsePrefix(network)
		if err != nil {
			continue
		}
		if out.by[p.Bits()] == nil {
			out.by[p.Bits()] = map[netip.Prefix]bool{}
		}
		out.by[p.Bits()][p.Masked()] = true
	}
	return out
}

func (n networks) has(addr netip.Addr) bool {
	for bits, of := range n.by {
		if p, err := addr.Prefix(bits); err == nil && of[p] {
			return true
		}
	}
	return false
}

// reach is what of a cluster a setting may name that this host reaches no more, once it
// has left: its Services and pods, and the ports of nodes.
type reach struct {
	services, pods networks
	nodes          map[netip.Addr]bool
	dns            []string
	// own are the networks of this host's links: what is in them is beside this host.
	own []netip.Prefix
	// address, bracketed, local, name and kept are how these are written.
	address, bracketed, local, name, kept *regexp.Regexp
}

func reaching(f inventory.Facts, dns []string, own []netip.Prefix) reach {
	r := reach{
		services: networksOf(f.ServiceCIDRs), pods: networksOf(f.PodCIDRs), nodes: map[netip.Addr]bool{}, dns: dns, own: own,
		address:   regexp.MustCompile(`[0-9a-fA-F]*[.:][0-9a-fA-F.:]*[0-9a-fA-F](?:/[0-9]+)?`),
		bracketed: regexp.MustCompile(`\[[0-9a-fA-F.:]+\]:[0-9]+`),
		local:     regexp.MustCompile(`\blocalhost:([0-9]+)`),
		name:      regexp.MustCompile(`(?:^|[^a-zA-Z0-9._-])([a-z0-9-]+(?:\.[a-z0-9-]+)+\.svc(?:\.[a-z0-9-]+)*)(?:[^a-zA-Z0-9_-]|$)`),
		// What goes past a proxy is not asked for by it, and the DNS server that a kubelet gives
		// to pods is named with its flags.
		kept: regexp.MustCompile(`(?i)(?:no[_-]?proxy["']?[ \t]*[=:][ \t]*["']?|--cluster-dns[= \t])[^\s"',]*(?:,[ \t]*[^\s"',]*)*`),
	}
	for _, ip := range f.NodeIPs {
		if addr, err := netip.ParseAddr(ip); err == nil {
			r.nodes[addr.Unmap()] = true
		}
	}
	return r
}

// outlives says what an address is that is only to be reached from within the cluster;
// empty for any other. A DNS server of the cluster's that is in neither a network of
// services nor a link's own may be the administrator's.
func (r reach) outlives(addr netip.Addr) string {
	addr = addr.Unmap()
	isDNS, service := addr == cluster.NodeDNSAddress() || slices.Contains(r.dns, addr.String()), r.services.has(addr)
	beside := func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(addr) }
	switch {
	case service && isDNS, addr.IsLinkLocalUnicast() && isDNS:
		return "the cluster's DNS at " + addr.String()
	case r.nodes[addr], slices.ContainsFunc(r.own, beside):
		return ""
	case service:
		return "a Service of the cluster at " + addr.String()
	case r.pods.has(addr):
		return "a pod of the cluster at " + addr.String()
	}
	return ""
}

// The ports of nodes at which Services are reached (--service-node-port-range of the API
// server's, 1.36), and where a mirror of images is that runs as a DaemonSet
// (spegel-org/spegel#767).
const firstNodePort, lastNodePort = 30000, 32767

// port says what a port of an address is to the cluster; empty for nothing.
func (r reach) port(at netip.AddrPort, as string) string {
	addr := at.Addr().Unmap()
	if (r.nodes[addr] || addr.IsLoopback()) && at.Port() >= firstNodePort && at.Port() <= lastNodePort {
		return "a node port of the cluster, " + as
	}
	return r.outlives(addr)
}

// asks says which address of the cluster's a setting names, by what it says outside of
// comments; empty for none. A whole network is no address that is asked.
func (r reach) asks(setting string) string {
	for line := range strings.Lines(setting) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") || strings.HasPrefix(line, "//") {
			continue
		}
		line = r.kept.ReplaceAllString(line, "")
		for _, word := range r.address.FindAllString(line, -1) {
			if what := r.word(word); what != "" {
				return what
			}
		}
		if what := r.names(line); what != "" {
			return what
		}
	}
	return ""
}

// word is asks for one address, with a port or without.
func (r reach) word(word string) string {
	if addr, err := netip.ParseAddr(word); err == nil {
		return r.outlives(addr)
	}
	if at, err := netip.ParseAddrPort(word); err == nil {
		return r.port(at, word)
	}
	return ""
}

// names is asks for what is no plain address.
func (r reach) names(line string) string {
	if strings.Contains(line, "]:") {
		for _, word := range r.bracketed.FindAllString(line, -1) {
			if what := r.word(word); what != "" {
				return what
			}
		}
	}
	if strings.Contains(line, "localhost:") {
		for _, found := range r.local.FindAllStringSubmatch(line, -1) {
			if at, err := netip.ParseAddrPort("127.0.0.1:" + found[1]); err == nil && r.port(at, found[0]) != "" {
				return r.port(at, found[0])
			}
		}
	}
	if strings.Contains(line, ".svc") {
		if found := r.name.FindStringSubmatch(line); found != nil {
			return "a Service of the cluster, " + text.Short(found[1], mostName)
		}
	}
	return ""
}

// resolves says that a setting resolves the name of one of the cluster's endpoints, as
// "host:port": installers write it on every node (labring/sealos#723), and a join by that
// name goes to the cluster that the host has left. A host's own name, or its own address, is
// no way there.
func (r reach) resolves(path, setting string, endpoints, hostnames []string) string {
	names := map[string]bool{}
	for _, at := range endpoints {
		name, _, err := net.SplitHostPort(at)
		if _, no := netip.ParseAddr(name); err == nil && no != nil && !slices.Contains(hostnames, name) {
			names[strings.ToLower(name)] = true
		}
	}
	hosts := filepath.Base(path) == "hosts"
	if len(names) == 0 || !hosts && !strings.Contains(path, "dnsmasq") {
		return ""
	}
	for line := range strings.Lines(setting) {
		words := resolved(line, hosts)
		if len(words) < 2 {
			continue
		}
		to, err := netip.ParseAddr(words[0])
		if err != nil || to.IsLoopback() || slices.ContainsFunc(r.own, func(p netip.Prefix) bool { return p.Addr() == to.Unmap() }) {
			continue
		}
		for _, word := range words[1:] {
			if name := strings.ToLower(strings.TrimSuffix(word, ".")); names[name] {
				return "this host resolves the cluster's endpoint " + text.Short(name, mostName) + " to " + to.String()
			}
		}
	}
	return ""
}

// resolved are the address and the names of a line of /etc/hosts, or of dnsmasq's, which
// has the address last: address=/name/192.0.2.1, host-record=name,192.0.2.1.
func resolved(line string, hosts bool) []string {
	line, _, _ = strings.Cut(line, "#")
	if hosts {
		return strings.Fields(line)
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune("/=, \t\r\n", c) })
	slices.Reverse(words)
	return words
}

// handlers are the programs that a configuration of a container runtime's has it run, and the
// sockets of its plugins: containerd's BinaryName, runtime_path and address, CRI-O's
// runtime_path and monitor_path, docker's path.
func handlers(config string) (programs, sockets []string) {
	said := regexp.MustCompile(`(?m)^[ \t{,]*"?(BinaryName|runtime_path|monitor_path|path|address)"?[ \t]*[=:][ \t]*["'](/[^"'\n]+)["']`)
	for line := range strings.Lines(config) {
		found := said.FindStringSubmatch(line)
		switch {
		case found == nil || len(programs)+len(sockets) == mostHandlers:
		case found[1] == "address":
			sockets = append(sockets, filepath.Clean(found[2]))
		case found[1] != "path" || strings.Contains(config, `"runtimes"`): // what docker.json calls so
			programs = append(programs, filepath.Clean(found[2]))
		}
	}
	return programs, sockets
}

// mostHandlers is how many programs and sockets of one configuration are looked at.
const mostHandlers = 64

// mostName bounds a name of DNS.
const mostName = 253

// askingFiles are the settings by which a host itself goes on to ask at an address, as
// patterns, and what it does there: name resolution, which installers point at the
// cluster's DNS (kubernetes-sigs/kubespray#9054, #11440), storage that iscsid logs in to
// with the next boot (openebs/openebs#185, longhorn/longhorn#7386), mounts, and where the
// container runtime gets images (spegel-org/spegel#767), which the next cluster uses first.
func askingFiles(p part.Places) map[string]string {
	const resolves, pulls = "this host asks %s for names", "the container runtime asks %s for images"
	const proxied = "programs of this host connect to %s"
	out := map[string]string{
		"/etc/iscsi/nodes/*/*/*": "iscsid logs in to %s", "/var/lib/iscsi/nodes/*/*/*": "iscsid logs in to %s",
		"/etc/nvme/discovery.conf": "nvme connects to %s", "/etc/nvme/config.json": "nvme connects to %s",
		"/etc/rsyslog.conf": "this host sends its log to %s", "/etc/rsyslog.d/*.conf": "this host sends its log to %s",
		"/etc/hosts": "this host resolves a name to %s",
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
	for _, dir := range append([]string{"/etc/containerd/certs.d", "/etc/docker/certs.d"}, p.RegistryDirs...) {
		out[filepath.Join(dir, "*/hosts.toml")] = pulls
	}
	for _, path := range append([]string{
		"/etc/containerd/config.toml", "/etc/containerd/conf.d/*.toml", "/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*",
		"/etc/docker/daemon.json",
		"/etc/containers/registries.conf", "/etc/containers/registries.conf.d/*.conf", "/etc/buildkit/buildkitd.toml",
		"/etc/nerdctl/nerdctl.toml",
		"/root/.docker/config.json", filepath.Join(p.Root, "config.json"),
	}, p.RuntimeFiles...) {
		out[path] = pulls
	}
	for _, unit := range []string{"containerd", "crio", "docker", "cri-docker", "kubelet"} {
		for _, path := range []string{"/etc/systemd/system/" + unit + ".service.d/*.conf", "/etc/systemd/system/" + unit + ".service",
			"/etc/default/" + unit, "/etc/sysconfig/" + unit} {
			out[path] = proxied
		}
	}
	for _, path := range []string{"/etc/environment", "/etc/profile.d/*.sh", "/etc/apt/apt.conf", "/etc/apt/apt.conf.d/*", "/etc/yum.conf",
		"/etc/dnf/dnf.conf", "/etc/systemd/system.conf", "/etc/systemd/system.conf.d/*.conf"} {
		out[path] = proxied
	}
	return out
}
