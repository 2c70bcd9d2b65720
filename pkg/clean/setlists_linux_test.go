// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// enlist puts an ip set into a list of sets.
func enlist(t *testing.T, list, set string) {
	t.Helper()
	const subsystem, memberName = 6, 18 // NFNL_SUBSYS_IPSET, IPSET_ATTR_NAME
	request := nl.NewNetlinkRequest(nl.IPSET_CMD_ADD|subsystem<<8, unix.NLM_F_ACK)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: nl.NFNETLINK_V0})
	request.AddData(nl.NewRtAttr(nl.IPSET_ATTR_PROTOCOL, nl.Uint8Attr(nl.IPSET_PROTOCOL)))
	request.AddData(nl.NewRtAttr(nl.IPSET_ATTR_SETNAME, nl.ZeroTerminated(list)))
	data := nl.NewRtAttr(nl.IPSET_ATTR_DATA|unix.NLA_F_NESTED, nil)
	data.AddRtAttr(memberName, nl.ZeroTerminated(set))
	request.AddData(data)
	_, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	hosttest.Must(t, err)
}

// members are those of an ip set of addresses.
func members(t *testing.T, set string) int {
	t.Helper()
	s, err := netlink.IpsetList(set)
	hosttest.Must(t, err)
	return len(s.Entries)
}

// A set that a list of an administrator's has in it stays as it is, with what is in it, and
// one in a list that goes, goes after it.
func TestASetInAListOfSetsGoesWithTheListOrStays(t *testing.T) {
	for name, tc := range map[string]struct {
		list string
		left []string
		said string
	}{
		"a list of an administrator's":  {"admins", []string{"KUBE-CLUSTER-IP", "admins"}, "the list of sets admins, which stays, has it in it"},
		"a list of kube-proxy's, first": {"KUBE-6-NODE-PORT-TCP", nil, ""},
		"a list of kube-proxy's, last":  {"KUBE-NODE-PORT-TCP", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				hosttest.Must(t, netlink.IpsetCreate("KUBE-CLUSTER-IP", "hash:ip", netlink.IpsetCreateOptions{}))
				hosttest.Must(t, netlink.IpsetCreate(tc.list, "list:set", netlink.IpsetCreateOptions{}))
				hosttest.Must(t, netlink.IpsetAdd("KUBE-CLUSTER-IP", &netlink.IPSetEntry{IP: []byte{10, 96, 0, 1}}))
				enlist(t, tc.list, "KUBE-CLUSTER-IP")
				w.join()
				w.script("iptables-nft -t nat -A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst -j ACCEPT")
				verdict := w.removed(w.target())
				var said []string
				for _, it := range verdict.But {
					said = append(said, it.Refers)
				}
				state := inventory.Clean
				if tc.said != "" {
					state = inventory.CleanBut
				}
				if strings.Join(said, "; ") != tc.said || verdict.State != state {
					w.Errorf("verdict: %+v", verdict)
				}
				left, err := netfilter.IPSets()
				if diff := cmp.Diff(tc.left, left); diff != "" || err != nil {
					w.Errorf("%v (-want +got):\n%s", err, diff)
				}
				if tc.left != nil && members(t, "KUBE-CLUSTER-IP") != 1 {
					w.Error("it was emptied")
				}
			})
		})
	}
}
