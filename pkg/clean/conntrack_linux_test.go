// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// connect has the kernel remember a connection; the answer comes from back.
func (w *world) connect(from, to, back string) {
	w.Helper()
	family := uint8(unix.AF_INET)
	if strings.Contains(from, ":") {
		family = unix.AF_INET6
	}
	ip := func(text string) net.IP {
		parsed := net.ParseIP(text)
		if four := parsed.To4(); four != nil {
			return four
		}
		return parsed
	}
	tuple := func(from, to string, fromPort, toPort uint16) netlink.IPTuple {
		return netlink.IPTuple{SrcIP: ip(from), DstIP: ip(to), Protocol: unix.IPPROTO_UDP, SrcPort: fromPort, DstPort: toPort}
	}
	hosttest.Must(w.T, netlink.ConntrackCreate(netlink.ConntrackTable, netlink.InetFamily(family), &netlink.ConntrackFlow{
		FamilyType: family, Forward: tuple(from, to, 4000, 53), Reverse: tuple(back, from, 53, 4000), TimeOut: 300,
	}))
}

func TestConnectionsOfPodsAndServicesAreForgottenAndThoseOfOthersNot(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.connect("192.0.2.10", "192.0.2.1", "192.0.2.1")
		w.connect("10.244.200.7", "192.0.2.1", "192.0.2.1") // Docker's, in a part of the pod network
		w.connect("2001:db8::1", "2001:db8::2", "2001:db8::2")
		w.connect("10.244.1.5", "192.0.2.1", "192.0.2.1")
		w.connect("192.0.2.10", "10.96.0.10", "10.244.1.9") // a service
		w.connect("2001:db8::1", "fd00:10:244::7", "fd00:10:244::7")
		target := w.target()
		target.Facts.PodCIDRs = append(target.Facts.PodCIDRs, "fd00:10:244::/56")
		target.Facts.ServiceCIDRs = []string{"10.96.0.0/12"}
		var said []string
		for _, step := range target.Recipe().Steps {
			if step.ID != "connections" {
				continue
			}
			for range 2 {
				needed, err := step.Needed(t.Context())
				hosttest.Must(t, err)
				if needed {
					hosttest.Must(t, step.Do(t.Context(), func(format string, _ ...any) { said = append(said, format) }))
				}
			}
		}
		var left []string
		for _, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
			flows, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
			hosttest.Must(t, err)
			for _, f := range flows {
				if f.Forward.Protocol == unix.IPPROTO_UDP && f.Forward.SrcPort == 4000 { // the kernel's own come by themselves
					left = append(left, f.Forward.SrcIP.String())
				}
			}
		}
		slices.Sort(left)
		if diff := cmp.Diff([]string{"10.244.200.7", "192.0.2.10", "2001:db8::1"}, left); diff != "" || len(said) != 1 {
			t.Errorf("said %v; connections (-want +got):\n%s", said, diff)
		}
		none := clean.Target{Host: target.Host}
		for _, step := range none.Recipe().Steps {
			if step.ID == "connections" {
				if needed, err := step.Needed(t.Context()); needed || err != nil {
					t.Errorf("without facts: %v, %v", needed, err)
				}
			}
		}
	})
}
