// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// kubelet judges a KubeletConfiguration.
func (l *linter) kubelet(d value) {
	for _, f := range d.get("featureGates").fields() {
		l.gate(f.key, f.key.node.Value)
	}
	if v := d.get("cgroupDriver"); v.text() == "cgroupfs" {
		l.say(Foolish, Warns, v, "cgroupfs beside systemd makes two managers of one tree: under pressure nodes become unstable",
			"write systemd, as the runtime")
	} else if v.text() != "" && v.text() != "systemd" {
		l.say(Type, Blocks, v, fmt.Sprintf("cgroupDriver is %q", short(v.text())), "write systemd or cgroupfs")
	}
	if v := d.get("failCgroupV1"); v.text() == "false" && l.since(35) {
		l.say(Foolish, Warns, v, "cgroup version 1 is allowed, which Kubernetes gives up",
			"boot the hosts with cgroup version 2, and leave it out")
	}
	if v := d.get("failSwapOn"); v.text() == "false" && !d.get("memorySwap").get("swapBehavior").there() {
		l.say(Foolish, Warns, v, "swap is let be, and swapBehavior is not set: pods do not use it, the kubelet and the system do",
			"turn swap off (prep), or set memorySwap.swapBehavior: LimitedSwap")
	}
	l.openKubelet(d)
	if v := d.get("maxPods"); v.text() != "" {
		if n, err := strconv.Atoi(v.text()); err == nil && n > 254 {
			l.say(Foolish, Warns, v, fmt.Sprintf("maxPods is %d, and a node has 254 addresses unless its range is larger", n),
				"set node-cidr-mask-size of kube-controller-manager, too")
		}
	}
}

// openKubelet says by which settings a kubelet lets in who should stay out.
func (l *linter) openKubelet(d value) {
	if v := d.get("authentication").get("anonymous").get("enabled"); v.text() == "true" {
		l.say(Foolish, Warns, v, "who reaches a node may ask its kubelet without credentials", "leave it out (false)")
	}
	if v := d.get("authorization").get("mode"); v.text() == "AlwaysAllow" {
		l.say(Foolish, Warns, v, "who is let in may do everything on a node", "leave it out (Webhook)")
	}
	if v := d.get("readOnlyPort"); v.text() != "" && v.text() != "0" {
		l.say(Foolish, Warns, v, "readOnlyPort shows all pods of a node to who reaches it", "leave it out (0)")
	}
}

// proxy judges a KubeProxyConfiguration.
func (l *linter) proxy(d value) {
	for _, f := range d.get("featureGates").fields() {
		l.gate(f.key, f.key.node.Value)
	}
	switch v := d.get("mode"); {
	case v.text() == "ipvs" && l.since(35):
		l.say(Foolish, Warns, v, "kube-proxy's mode ipvs is deprecated since 1.35 and goes (KEP-5495)",
			"write nftables, which takes a kernel of 5.13 or newer")
	case v.text() == "userspace":
		l.say(Foolish, Blocks, v, "kube-proxy has no mode userspace since 1.26", "leave it out, or write nftables")
	case v.text() != "" && !slices.Contains([]string{"iptables", "ipvs", "nftables", "kernelspace"}, v.text()):
		l.say(Type, Blocks, v, fmt.Sprintf("kube-proxy has no mode %q", short(v.text())), "write iptables or nftables")
	}
}

// together judges what stands in several documents.
func (l *linter) together() {
	seen := map[string]bool{}
	for _, d := range l.documents {
		kind := d.get("kind")
		if seen[kind.text()] && kind.text() != "" {
			l.say(Twice, Blocks, kind, "there are two documents of kind "+short(kind.text()), "make one of them")
		}
		seen[kind.text()] = true
	}
	if seen["InitConfiguration"] && seen["JoinConfiguration"] {
		l.say(Contradicted, Warns, l.document("JoinConfiguration").get("kind"),
			"one file has an InitConfiguration and a JoinConfiguration: init reads the one, join the other", "write two files")
	}
	cluster, proxy := l.document("ClusterConfiguration"), l.document("KubeProxyConfiguration")
	l.dns(cluster, l.document("KubeletConfiguration"))
	pods := cluster.get("networking").get("podSubnet").text()
	if v := proxy.get("clusterCIDR"); v.text() != "" && pods != "" && v.text() != pods {
		l.say(Contradicted, Blocks, v, fmt.Sprintf("kube-proxy's clusterCIDR is %s, and podSubnet %s: it would take pods for others",
			short(v.text()),
			short(pods)), "leave clusterCIDR out: kubeadm sets it")
	}
}

// dns judges what a kubelet tells pods of the cluster's DNS.
func (l *linter) dns(cluster, kubelet value) {
	networking := cluster.get("networking")
	domain := cmp.Or(networking.get("dnsDomain").text(), "cluster.local")
	if v := kubelet.get("clusterDomain"); cluster.there() && v.text() != "" && strings.TrimSuffix(v.text(), ".") != domain {
		l.say(Contradicted, Blocks, v, fmt.Sprintf("clusterDomain is %s, and the cluster's dnsDomain %s: pods would find no Service",
			short(v.text()),
			short(domain)), "leave clusterDomain out")
	}
	services := first(cmp.Or(networking.get("serviceSubnet").text(), "10.96.0.0/12"))
	for _, v := range kubelet.get("clusterDNS").items() {
		a, err := netip.ParseAddr(v.text())
		if err != nil {
			l.say(Type, Blocks, v, fmt.Sprintf("clusterDNS %q is not an address", short(v.text())), "leave clusterDNS out: kubeadm knows it")
		} else if cluster.there() && services.IsValid() && a.Is4() == services.Addr().Is4() && !services.Contains(a) && !local(a) {
			l.say(Contradicted, Blocks, v, fmt.Sprintf("clusterDNS %s is not in the network of Services (%s): pods would have no DNS", a, services),
				"leave clusterDNS out: kubeadm knows it")
		}
	}
}

// local reports whether an address is one of the node itself, as NodeLocal DNSCache's.
func local(a netip.Addr) bool { return a.IsLinkLocalUnicast() }

// first is the first network of a list.
func first(cidrs string) netip.Prefix {
	cidr, _, _ := strings.Cut(cidrs, ",")
	p, err := netip.ParsePrefix(strings.TrimSpace(cidr))
	if err != nil {
		return netip.Prefix{}
	}
	return p.Masked()
}
