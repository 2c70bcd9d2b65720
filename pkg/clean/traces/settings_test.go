// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestASettingThatNamesAnAddressOfTheCluster(t *testing.T) {
	facts := inventory.Facts{
		ServiceCIDRs: []string{"10.96.0.0/12", "fd00:96::/112"},
		PodCIDRs:     []string{"10.244.0.0/16", "10.244.2.0/24", "fd00:244::/64"},
		NodeIPs:      []string{"192.0.2.10", "192.0.2.11", "fd00::10", "10.244.250.10"},
	}
	dns := []string{"169.254.25.10", "192.168.1.53", "10.96.0.10"}
	own := []netip.Prefix{netip.MustParsePrefix("10.244.200.1/24"), netip.MustParsePrefix("10.244.9.9/32")}
	for name, tc := range map[string]struct{ setting, want string }{
		"a name server that is a Service": {"search x\nnameserver 10.96.0.10\n", "the cluster's DNS at 10.96.0.10"},
		"NodeLocal DNSCache of kubespray": {"[Resolve]\nDNS=169.254.25.10\n", "the cluster's DNS at 169.254.25.10"},
		"NodeLocal DNSCache of everybody": {"nameserver 169.254.20.10", "the cluster's DNS at 169.254.20.10"},
		"dhclient's list": {"supersede domain-name-servers 192.0.2.1, 10.96.0.10;",
			"the cluster's DNS at 10.96.0.10"},
		"of the other family": {"nameserver fd00:96::a\n", "a Service of the cluster at fd00:96::a"},
		"an iSCSI portal that is a Service": {"node.conn[0].address = 10.96.168.19\n",
			"a Service of the cluster at 10.96.168.19"},
		"one that is a pod, as Longhorn's are": {"node.conn[0].address = 10.244.2.7\n",
			"a pod of the cluster at 10.244.2.7"},
		"a pod of the other family": {"node.conn[0].address = fd00:244::7\n", "a pod of the cluster at fd00:244::7"},
		"a file server that is a Service": {"10.100.1.2:/export /mnt nfs defaults 0 0\n",
			"a Service of the cluster at 10.100.1.2"},
		"a mirror that is a Service": {"[host.\"http://10.96.77.5:5000\"]\n", "a Service of the cluster at 10.96.77.5"},
		"one with a path": {"endpoint = ['https://10.96.77.5/v2/x']\n",
			"a Service of the cluster at 10.96.77.5"},
		"one of the other family": {"endpoint = 'https://[fd00:96::5]:5000/'\n",
			"a Service of the cluster at fd00:96::5"},
		"one that is a pod": {"server=http://10.244.2.7:5000/", "a pod of the cluster at 10.244.2.7"},
		"a proxy that is a Service": {"Environment=\"HTTP_PROXY=http://u@10.96.7.7:3128\"",
			"a Service of the cluster at 10.96.7.7"},
		"a port of this node's, as Spegel is asked": {"[host.\"http://192.0.2.10:30020\"]",
			"a node port of the cluster, 192.0.2.10:30020"},
		"a node port at the loopback":     {"[host.\"http://127.0.0.1:30500\"]", "a node port of the cluster, 127.0.0.1:30500"},
		"a node port at localhost":        {"location = \"localhost:32000\"", "a node port of the cluster, localhost:32000"},
		"a node port of the other family": {"http://[fd00::10]:30500", "a node port of the cluster, [fd00::10]:30500"},
		"a Service by its name": {"[host.\"http://hub.infra.svc.cluster.local:5000\"]",
			"a Service of the cluster, hub.infra.svc.cluster.local"},
		"the same in short": {"http_proxy=http://squid.proxy.svc:3128\n",
			"a Service of the cluster, squid.proxy.svc"},
		"more words in a line than anyone reads": {strings.Repeat("1.2.3.4, ", 200) + "10.244.2.7\n",
			"a pod of the cluster at 10.244.2.7"},
		"an administrator's DNS server, which pods use": {"nameserver 192.168.1.53\n", ""},
		"another link-local address":                    {"nameserver 169.254.169.254\n", ""},
		"a comment":                                     {"# nameserver 10.96.0.10\n; nameserver 10.96.0.10\n", ""},
		"a whole network, which is not asked":           {"routes: 10.96.0.0/12\ninsecure = ['10.244.0.0/16']", ""},
		"a version, and words":                          {"version: 10.96.0\nbeef.cafe\n::\n", ""},
		"a node's own address":                          {"server 192.0.2.11:5000\nnameserver 10.244.250.10", ""},
		"an address of a network of this host's":        {"nameserver 10.244.200.53\n", ""},
		"an address of this host's alone":               {"bind 10.244.9.9\n", "a pod of the cluster at 10.244.9.9"},
		"a port of another machine":                     {"http://203.0.113.9:30020", ""},
		"a port that is none of a node's":               {"http://127.0.0.1:5000\nhttp://192.0.2.10:443", ""},
		"what is not to go through a proxy": {"Environment=\"NO_PROXY=10.96.0.1,10.244.2.7, kubernetes.default.svc,.svc\"\nno_proxy=10.96.0.1\n" +
			"{\"no-proxy\": \"10.96.0.1,registry.infra.svc\"}", ""},
		"a proxy beside that": {"export NO_PROXY=10.96.0.1,.svc HTTPS_PROXY=http://10.96.7.7:1",
			"a Service of the cluster at 10.96.7.7"},
		"the DNS server that the kubelet gives to pods, which its own part names": {"KUBELET_EXTRA_ARGS=--cluster-dns=10.96.0.10,10.96.0.11",
			""},
		"a search list": {"search default.svc.cluster.local svc.cluster.local cluster.local\n", ""},
	} {
		if got := reaching(facts, dns, own).asks(tc.setting); got != tc.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// A host may be told thousands of networks, and a setting may have many words.
func TestManyNetworksAreAskedForAtOnce(t *testing.T) {
	var facts inventory.Facts
	for i := range 5000 {
		facts.PodCIDRs = append(facts.PodCIDRs, fmt.Sprintf("10.%d.%d.0/24", 100+i/256, i%256))
	}
	a := reaching(facts, nil, nil)
	if len(a.pods.by) != 1 || !a.pods.has(netip.MustParseAddr("10.119.135.7")) || a.pods.has(netip.MustParseAddr("10.119.136.7")) {
		t.Errorf("by %d lengths", len(a.pods.by))
	}
}

// Installers write the endpoint's name on every node.
func TestANameOfTheEndpointThatThisHostResolves(t *testing.T) {
	endpoints, hostnames := []string{"apiserver.cluster.local:6443", "192.0.2.200:6443", "own:6443"}, []string{"own", "w1"}
	r := reaching(inventory.Facts{}, nil, []netip.Prefix{netip.MustParsePrefix("192.0.2.10/24")})
	const said = "this host resolves the cluster's endpoint apiserver.cluster.local to 192.0.2.5"
	for name, tc := range map[string]struct{ path, setting, want string }{
		"in hosts":                        {"/etc/hosts", "127.0.0.1 localhost\n192.0.2.5\tapiserver.cluster.local\n", said},
		"among other names":               {"/etc/hosts", "192.0.2.5 cp1 APIServer.cluster.local. # by the installer", said},
		"for dnsmasq":                     {"/etc/dnsmasq.d/k8s.conf", "address=/apiserver.cluster.local/192.0.2.5\n", said},
		"as a record of dnsmasq's":        {"/etc/dnsmasq.conf", "host-record=apiserver.cluster.local,192.0.2.5", said},
		"behind a comment":                {"/etc/hosts", "# 192.0.2.5 apiserver.cluster.local", ""},
		"to an address of this host":      {"/etc/hosts", "192.0.2.10 apiserver.cluster.local\n127.0.0.1 apiserver.cluster.local", ""},
		"this host's own name":            {"/etc/hosts", "192.0.2.5 own w1", ""},
		"another name of another host":    {"/etc/hosts", "192.0.2.200 api\n192.0.2.5 apiserver.cluster.local.corp", ""},
		"a setting that resolves nothing": {"/etc/fstab", "192.0.2.5 apiserver.cluster.local", ""},
	} {
		if got := r.resolves(tc.path, tc.setting, endpoints, hostnames); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
