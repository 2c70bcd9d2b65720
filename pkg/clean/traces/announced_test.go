// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestAnAddressThatTheClusterAnnounced(t *testing.T) {
	a := announced{cluster.Identity{Endpoints: []string{"192.0.2.9:6443", "[2001:db8::9]:6443"}},
		inventory.Facts{NodeIPs: []string{"192.0.2.8"}, ServiceCIDRs: []string{"10.96.0.0/12"}, Announced: []string{"192.0.2.200", "192.0.2.8",
			"2001:db8::200"}}, []string{"169.254.25.10", "192.0.2.53"}}
	for _, tc := range []struct {
		name, link, ip string
		want           bool
	}{
		{"the endpoint, as kube-vip leaves it", "eth0", "192.0.2.9", true},
		{"the endpoint of IPv6", "eth0", "2001:db8::9", true},
		{"a service on lo, as a router of services leaves it", "lo", "10.96.0.20", true},
		{"the same on a card", "eth0", "10.96.0.20", false},
		{"NodeLocal DNSCache's", "lo", "169.254.20.10", true},
		{"NodeLocal DNSCache's at the address that pods are sent to", "lo", "169.254.25.10", true},
		{"a DNS server of the administrator's, to which pods are sent", "eth0", "192.0.2.53", false},
		{"a node's own", "eth0", "192.0.2.8", false},
		{"a load balancer's, as kube-vip leaves it on a card", "eth0", "192.0.2.200", true},
		{"a load balancer's on lo, announced by BGP", "lo", "192.0.2.200", true},
		{"a load balancer's of IPv6, on a bond", "bond0", "2001:db8::200", true},
		{"one that only begins like a load balancer's", "eth0", "192.0.2.20", false},
		{"one that only begins alike", "eth0", "192.0.2.90", false},
		{"the loopback", "lo", "127.0.0.1", false},
		{"no address", "lo", "x", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := a.address(tc.link, tc.ip); (got != "") != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAVolumeOfAPod(t *testing.T) {
	for path, want := range map[string]bool{
		"/data/pods/0a1b2c3d-0000-1111-2222-333344445555/volumes/kubernetes.io~empty-dir/x/": true,
		"/data/pods/0a1b2c3d-0000-1111-2222-333344445555/volume-subpaths/conf/app/0/":        true,
		"/x/plugins/kubernetes.io~csi/abc/":                                                  true,
		"/srv/pods/whales/volumes/":                                                          false,
		"/var/lib/docker/volumes/pods/":                                                      false,
		"/home/me/kubernetes.io/docs/":                                                       false,
	} {
		if podVolume().MatchString(path) != want {
			t.Errorf("%s: want %v", path, want)
		}
	}
}

func TestOnlyThisProgramsOwnDirectoriesAreNotSearched(t *testing.T) {
	for path, want := range map[string]bool{
		"/var/lib/kubectl-lifecycle": true, "/var/lib/kubectl-lifecycle-prep": true, "/var/lib/kubectl-lifecycle-x": false,
		"/run/kubectl-lifecycle-door.AbCdEf": false, "/run/kubectl-lifecycle-join.AbCdEf": false, "/opt/kubectl-lifecycle": false,
	} {
		if got := ownTool(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
