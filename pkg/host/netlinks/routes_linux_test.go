// SPDX-License-Identifier: Apache-2.0

package netlinks

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// ways are what a route leads through.
func (r Route) ways() string {
	var out []string
	for _, h := range r.Hops {
		if h.Via != nil {
			out = append(out, fmt.Sprint(h.Via))
		}
	}
	return strings.Join(out, " ")
}

// listing are the routes of this test's networks.
func listing(t *testing.T) []Route {
	t.Helper()
	all, err := Routes()
	hosttest.Must(t, err)
	return slices.DeleteFunc(all, func(r Route) bool { return r.Dst.String() != "10.1.0.0/24" && r.Dst.String() != "fd00:1::/64" })
}

const cards = `ip link set lo up
ip link add eth0 type veth peer name eth0p; ip addr add 192.0.2.10/24 dev eth0
ip addr add 2001:db8::10/64 dev eth0 nodad; ip link set eth0p up; ip link set eth0 up
ip link add eth1 type veth peer name eth1p; ip addr add 198.51.100.10/24 dev eth1; ip link set eth1p up; ip link set eth1 up
ip nexthop add id 7 via 192.0.2.11 dev eth0; ip nexthop add id 8 via 192.0.2.12 dev eth0; ip nexthop add id 9 group 7/8
ip nexthop add id 10 blackhole; ip nexthop add id 11 via 2001:db8::11 dev eth0
`

// Each route is deleted as the kernel knows it, and none beside it.
func TestTheRouteIsDeletedThatIsMeant(t *testing.T) {
	for name, tc := range map[string]struct{ add, beside, ways string }{
		"through a gateway":                   {add: "10.1.0.0/24 via 192.0.2.11", ways: "192.0.2.11"},
		"beside another with the same metric": {add: "10.1.0.0/24 via 192.0.2.11", beside: "10.1.0.0/24 via 192.0.2.12", ways: "192.0.2.11"},
		"beside one of a nexthop object":      {add: "10.1.0.0/24 via 192.0.2.11", beside: "10.1.0.0/24 nhid 8", ways: "192.0.2.11"},
		"with metrics of its own":             {add: "10.1.0.0/24 via 192.0.2.11 mtu 1400 congctl reno", ways: "192.0.2.11"},
		"with a kind of service": {add: "10.1.0.0/24 tos 0x10 via 192.0.2.11", beside: "10.1.0.0/24 via 192.0.2.11",
			ways: "192.0.2.11"},
		"with a source": {add: "10.1.0.0/24 via 192.0.2.11 src 192.0.2.10 proto bird metric 5", ways: "192.0.2.11"},
		"in a table of its own": {add: "10.1.0.0/24 via 192.0.2.11 table 777", beside: "10.1.0.0/24 via 192.0.2.11",
			ways: "192.0.2.11"},
		"a blackhole":                           {add: "blackhole 10.1.0.0/24"},
		"through a gateway of the other family": {add: "10.1.0.0/24 via inet6 2001:db8::11", ways: "2001:db8::11"},
		"with several ways": {add: "10.1.0.0/24 nexthop via 192.0.2.11 weight 2 nexthop via 198.51.100.11",
			beside: "10.1.0.0/24 nexthop via 192.0.2.11 weight 2 nexthop via 198.51.100.12", ways: "192.0.2.11 198.51.100.11"},
		"of a nexthop object":                {add: "10.1.0.0/24 nhid 7 proto bird", beside: "10.1.0.0/24 via 192.0.2.11", ways: "192.0.2.11"},
		"of a nexthop object beside another": {add: "10.1.0.0/24 nhid 7", beside: "10.1.0.0/24 nhid 8", ways: "192.0.2.11"},
		"of a group of nexthop objects":      {add: "10.1.0.0/24 nhid 9", ways: "192.0.2.11 192.0.2.12"},
		"of an object that is a blackhole":   {add: "10.1.0.0/24 nhid 10"},
		"of IPv6":                            {add: "fd00:1::/64 via 2001:db8::11", ways: "2001:db8::11"},
		"of IPv6 with several ways": {add: "fd00:1::/64 nexthop via 2001:db8::11 nexthop via 2001:db8::12",
			ways: "2001:db8::11 2001:db8::12"},
		"of IPv6 and a nexthop object": {add: "fd00:1::/64 nhid 11", ways: "2001:db8::11"},
	} {
		for _, compat := range []string{"1", "0"} {
			t.Run(name+" compat "+compat, func(t *testing.T) {
				hosttest.Isolate(t, func(t *testing.T, _ string) {
					const all = "ip route show table all | grep 10.1.0 || true; ip -6 route show table all | grep fd00 || true"
					hosttest.Script(t, cards+"echo "+compat+" > /proc/sys/net/ipv4/nexthop_compat_mode")
					if tc.beside != "" {
						hosttest.Script(t, "ip route append "+tc.beside)
					}
					before, known := hosttest.Script(t, all), listing(t)
					hosttest.Script(t, "ip route append "+tc.add)
					added := slices.DeleteFunc(listing(t), func(r Route) bool {
						return slices.ContainsFunc(known, func(k Route) bool { return bytes.Equal(k.raw, r.raw) })
					})
					if len(added) != 1 || added[0].ways() != tc.ways {
						t.Fatalf("it is listed as %+v", added)
					}
					for range 2 { // again, it is gone
						hosttest.Must(t, added[0].Delete())
					}
					if after := hosttest.Script(t, all); after != before {
						t.Errorf("before:\n%s\nafter:\n%s", before, after)
					}
				})
			})
		}
	}
}
