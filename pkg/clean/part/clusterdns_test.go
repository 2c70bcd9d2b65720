// SPDX-License-Identifier: Apache-2.0

package part

import (
	"slices"
	"strings"
	"testing"
)

func TestTheClusterDNSOfAKubelet(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		want   []string
	}{
		"as kubeadm writes it": {"clusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\n", []string{"10.96.0.10"}},
		"of both families, indented": {"a: b\nclusterDNS:\n  - \"169.254.25.10\"\n  - fd00::a\nface: b\n",
			[]string{"169.254.25.10", "fd00::a"}},
		"in one line":                     {"clusterDNS: [10.96.0.10, '10.96.0.11']\n", []string{"10.96.0.10", "10.96.0.11"}},
		"in JSON":                         {`{"clusterDNS":["10.96.0.10"],"x":["1.2.3.4"]}`, []string{"10.96.0.10"}},
		"none":                            {"clusterDNS: []\nother: 10.1.1.1\n", nil},
		"a comment is none":               {"# clusterDNS: [10.96.0.10]\n", nil},
		"what follows is another's value": {"clusterDNS:\n- 10.96.0.10\naddress: 0.0.0.0\n", []string{"10.96.0.10"}},
	} {
		if got, more := clusterDNS([]byte(tc.config)); !slices.Equal(got, tc.want) || more {
			t.Errorf("%s: got %v, more: %v", name, got, more)
		}
	}
	for n, more := range map[int]bool{mostServers: false, mostServers + 1: true} {
		p := usualPlaces()
		p.readConfig([]byte("clusterDNS:\n" + strings.Repeat("- 10.96.0.10\n", n)))
		if len(p.DNS) != mostServers || p.MoreDNS != more {
			t.Errorf("%d of %d servers, more: %v", len(p.DNS), n, p.MoreDNS)
		}
	}
	p := usualPlaces()
	p.readConfig([]byte("clusterDNS:\n- 10.96.0.10\n"))
	if p.readKubelet([]string{"--cluster-dns=10.0.0.53,10.0.0.54"}); !slices.Equal(p.DNS, []string{"10.0.0.53", "10.0.0.54"}) {
		t.Errorf("a flag is stronger than the configuration: %v", p.DNS)
	}
}
