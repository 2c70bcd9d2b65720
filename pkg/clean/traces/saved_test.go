// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/netip"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestWhatASavedPacketFilterHasOfTheCluster(t *testing.T) {
	facts := inventory.Facts{
		ServiceCIDRs: []string{"10.96.0.0/12", "fd00:96::/112"}, PodCIDRs: []string{"10.244.0.0/16", "fd00:244::/64"},
		NodeIPs: []string{"192.0.2.10"},
	}
	own := []netip.Prefix{netip.MustParsePrefix("10.244.200.1/24")}
	for name, tc := range map[string]struct{ setting, want string }{
		"a chain of kube-proxy's, as iptables-save writes it": {"# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n",
			"it brings back KUBE-SERVICES of kube-proxy"},
		"a rule in one": {"-A KUBE-FIREWALL -j DROP\n", "it brings back KUBE-FIREWALL of kubelet"},
		"a chain of Calico's, as nft lists it": {"table ip filter {\n\tchain cali-FORWARD {\n",
			"it brings back cali-FORWARD of calico"},
		"a chain in a flat list of nft": {"add chain ip filter FLANNEL-FWD\n", "it brings back FLANNEL-FWD of flannel"},
		"a table of kube-proxy's":       {"table ip kube-proxy {\n}\n", "it brings back table ip kube-proxy of kube-proxy"},
		"a table that is added":         {"add table ip6 flannel-ipv6\n", "it brings back table ip6 flannel-ipv6 of flannel"},
		"an ip set of kube-proxy's": {"create KUBE-CLUSTER-IP hash:ip,port family inet\n",
			"it brings back KUBE-CLUSTER-IP of kube-proxy"},
		"a way to a pod": {"-A DOCKER -p tcp -j DNAT --to-destination 10.244.1.7:80\n", "it names a pod of the cluster at 10.244.1.7"},
		"the pod network, which a service of the host's lets in": {"/srv 10.244.0.0/16(rw,no_root_squash)\n",
			"it names 10.244.0.0/16, of the cluster's pod network"},
		"a node's part of it": {"  <source address=\"10.244.3.0/24\"/>\n", "it names 10.244.3.0/24, of the cluster's pod network"},
		"the Service network": {"-A INPUT -d 10.96.0.0/12 -j ACCEPT\n", "it names 10.96.0.0/12, of the cluster's Service network"},
		"of the other family": {"ip6 saddr fd00:244::/64 accept\n", "it names fd00:244::/64, of the cluster's pod network"},

		"chains of other programs":          {":DOCKER-USER - [0:0]\n:ufw-user-input - [0:0]\n-A f2b-sshd -j RETURN\n", ""},
		"a chain that is only alike":        {":KUBE-MINE - [0:0]\n:OVN-ALLOW - [0:0]\n", ""},
		"a chain of the standard plugins'":  {":CNI-FORWARD - [0:0]\n", ""},
		"a comment":                         {"# :KUBE-SERVICES - [0:0]\n#10.244.0.0/16\n", ""},
		"a wider network":                   {"/srv 10.0.0.0/8(rw)\n-A INPUT -s 10.240.0.0/12 -j ACCEPT\n", ""},
		"a network of this host's":          {"-A FORWARD -s 10.244.200.0/24 -j ACCEPT\n-A FORWARD -d 10.244.200.9 -j ACCEPT\n", ""},
		"a node's own address":              {"-A INPUT -s 192.0.2.10/32 -j ACCEPT\n", ""},
		"nothing":                           {"", ""},
		"a table of another's, and its set": {"table inet mine {\n set blocked {\n", ""},
	} {
		if got := reaching(facts, nil, own).saved(tc.setting); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestQuotasThatAKubeletWroteAreKnownByTheirForm(t *testing.T) {
	const pod = "/var/lib/kubelet/pods/0a1b2c3d-1111-2222-3333-444455556666/volumes/kubernetes.io~empty-dir/x"
	for name, tc := range map[string]struct {
		path, list string
		want       bool
	}{
		"a directory of a pod's":              {projectsFile, "# mine\n10:/srv/data\n1048577:" + pod + "\n", true},
		"the name of its project":             {projidFile, "mine:10\nvolume1048577:1048577\n", true},
		"an administrator's":                  {projectsFile, "10:/srv/data\n11:/var/lib/kubeletx/pods\n", false},
		"an administrator's name":             {projidFile, "mine:10\nvolume7:8\nvolumes1:1\n", false},
		"a comment":                           {projectsFile, "#1048577:" + pod + "\n", false},
		"the name of a project, in the other": {projectsFile, "volume1048577:1048577\n", false},
		"nothing":                             {projidFile, "", false},
	} {
		if got := quotas(tc.path, tc.list, []string{"/var/lib/kubelet"}); (got != "") != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
