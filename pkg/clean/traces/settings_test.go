// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestASettingThatNamesAnAddressOfTheCluster(t *testing.T) {
	facts := inventory.Facts{ServiceCIDRs: []string{"10.96.0.0/12", "fd00:96::/112"}}
	dns := []string{"169.254.25.10", "192.168.1.53", "10.96.0.10"}
	for name, tc := range map[string]struct{ setting, want string }{
		"a name server that is a Service": {"search x\nnameserver 10.96.0.10\n", "the cluster's DNS at 10.96.0.10"},
		"NodeLocal DNSCache of kubespray": {"[Resolve]\nDNS=169.254.25.10\n", "the cluster's DNS at 169.254.25.10"},
		"NodeLocal DNSCache of everybody": {"nameserver 169.254.20.10", "the cluster's DNS at 169.254.20.10"},
		"dhclient's list": {"supersede domain-name-servers 192.0.2.1, 10.96.0.10;",
			"the cluster's DNS at 10.96.0.10"},
		"of the other family":                           {"nameserver fd00:96::a\n", "a Service of the cluster at fd00:96::a"},
		"an iSCSI portal that is a Service":             {"node.conn[0].address = 10.96.168.19\n", "a Service of the cluster at 10.96.168.19"},
		"a file server that is a Service":               {"10.100.1.2:/export /mnt nfs defaults 0 0\n", "a Service of the cluster at 10.100.1.2"},
		"an administrator's DNS server, which pods use": {"nameserver 192.168.1.53\n", ""},
		"another link-local address":                    {"nameserver 169.254.169.254\n", ""},
		"a comment":                                     {"# nameserver 10.96.0.10\n; nameserver 10.96.0.10\n", ""},
		"a whole network, which is not asked":           {"routes: 10.96.0.0/12\n", ""},
		"a version, and words":                          {"version: 10.96.0\nbeef.cafe\n::\n", ""},
	} {
		if got := asks(facts, tc.setting, dns); got != tc.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
