// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What Cilium 1.19 makes with encryption.type=ipsec: policies, of which it leaves the
// first when it is turned off, and associations (allocspi makes one without a cipher,
// which not every kernel has).
const ciliumsIPsec = `
ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir out priority 100 action block mark 0xe00 mask 0xf00
ip xfrm policy add src ::/0 dst ::/0 dir out priority 100 action block mark 0xe00 mask 0xf00
ip xfrm policy add src 0.0.0.0/0 dst 10.244.1.0/24 dir out mark 0x13e00 mask 0xffffff00 \
  tmpl src 192.0.2.2 dst 192.0.2.3 proto esp spi 0x3 reqid 1 mode tunnel
ip xfrm policy add src 0.0.0.0/0 dst 10.244.1.0/24 dir out mark 0x23e00 mask 0xffffff00 \
  tmpl src 192.0.2.2 dst 192.0.2.4 proto esp spi 0x3 reqid 1 mode tunnel
ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir in tmpl proto esp reqid 0 mode tunnel level use
ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 dir fwd priority 2975 tmpl proto esp reqid 0 mode tunnel level use
ip xfrm state allocspi src 192.0.2.2 dst 192.0.2.3 proto esp mode tunnel reqid 1 mark 0x13e00 mask 0xffffff00 min 3 max 3
ip xfrm state allocspi src 192.0.2.3 dst 192.0.2.2 proto esp mode tunnel reqid 1 mark 0x10d00 mask 0xffff0f00 min 5 max 5
`

// What a VPN has on the same host: without marks, and with other marks.
const theirIPsec = `
ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 100 tmpl src 192.0.2.2 dst 192.0.2.9 proto esp reqid 1 mode tunnel
ip xfrm policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir in priority 100 tmpl src 192.0.2.9 dst 192.0.2.2 proto esp reqid 1 mode tunnel
ip xfrm policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd priority 2975 tmpl src 192.0.2.9 dst 192.0.2.2 proto esp reqid 1 mode tunnel
ip xfrm policy add src 10.3.0.0/16 dst 0.0.0.0/0 dir out mark 0x2a mask 0xffffffff tmpl src 192.0.2.2 dst 192.0.2.9 proto esp mode tunnel
ip xfrm policy add src 10.4.0.0/16 dst 0.0.0.0/0 dir out mark 0x600 mask 0xf00 tmpl src 192.0.2.2 dst 192.0.2.9 proto esp mode tunnel
ip xfrm policy add src 10.5.0.0/16 dst 0.0.0.0/0 dir out mark 0xd2a mask 0xffffffff tmpl src 192.0.2.2 dst 192.0.2.9 proto esp mode tunnel
ip xfrm state allocspi src 192.0.2.2 dst 192.0.2.9 proto esp mode tunnel reqid 1 min 4 max 4
ip xfrm state allocspi src 192.0.2.2 dst 192.0.2.8 proto esp mode tunnel reqid 7 mark 0xe01 mask 0xffffffff min 6 max 6
`

const showIPsec = `ip xfrm policy | tr -s '\t \n' ' ' | sed 's/ src [0-9:]\S* dst/\n&/g' | sort; ip xfrm state | grep '^src' | sort`

func TestCiliumsEncryptionGoesAndThatOfOthersStays(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		ciliumIsHere := true
		target := Network{Host: part.Host{Second: func(inventory.Owner, ...inventory.Kind) bool { return ciliumIsHere }}}
		hosttest.Script(t, theirIPsec)
		theirs := hosttest.Script(t, showIPsec)
		hosttest.Script(t, ciliumsIPsec)
		found, err := target.lookIPsec()
		hosttest.Must(t, err)
		want := []string{
			"policy dir fwd src 0.0.0.0/0 dst 0.0.0.0/0 priority 2975",
			"policy dir in src 0.0.0.0/0 dst 0.0.0.0/0 priority 0",
			"policy dir out src 0.0.0.0/0 dst 0.0.0.0/0 priority 100 mark 0xe00/0xf00",
			"policy dir out src 0.0.0.0/0 dst 10.244.1.0/24 priority 0 mark 0x13e00/0xffffff00",
			"policy dir out src 0.0.0.0/0 dst 10.244.1.0/24 priority 0 mark 0x23e00/0xffffff00",
			"policy dir out src ::/0 dst ::/0 priority 100 mark 0xe00/0xf00",
			"state src 192.0.2.2 dst 192.0.2.3 spi 0x3 mark 0x13e00/0xffffff00",
			"state src 192.0.2.3 dst 192.0.2.2 spi 0x5 mark 0x10d00/0xffff0f00",
		}
		if diff := cmp.Diff(want, textsOf(found)); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}

		ciliumIsHere = false
		before := hosttest.Script(t, showIPsec)
		hosttest.Must(t, target.takeIPsec(func(string, ...any) {}))
		if after := hosttest.Script(t, showIPsec); after != before {
			t.Errorf("without another sign of Cilium something went:\n%s", cmp.Diff(before, after))
		}
		perhaps, err := target.lookIPsec()
		hosttest.Must(t, err)
		if len(perhaps) != len(want) || slices.ContainsFunc(perhaps, func(it inventory.Item) bool {
			return it.Fate != inventory.Stays || it.Refers == ""
		}) {
			t.Errorf("what may be Cilium's is not named: %+v", perhaps)
		}

		ciliumIsHere = true
		for range 2 { // again, there is nothing left to do
			hosttest.Must(t, target.takeIPsec(func(string, ...any) {}))
		}
		if after := hosttest.Script(t, showIPsec); after != theirs {
			t.Errorf("left (-others' +got):\n%s", cmp.Diff(strings.Split(theirs, "\n"), strings.Split(after, "\n")))
		}
	})
}

func textsOf(items []inventory.Item) []string {
	var out []string
	for _, it := range items {
		out = append(out, it.Name)
	}
	slices.Sort(out)
	return out
}

func TestAMarkOfCiliumsEncryption(t *testing.T) {
	for name, tc := range map[string]struct {
		value, mask uint32
		want        bool
	}{
		"to be encrypted":                            {0xe00, 0xf00, true},
		"was decrypted":                              {0xd00, 0xf00, true},
		"to be encrypted for a node, with a key":     {0x13e00, 0xffffff00, true},
		"a proxy's":                                  {0x200, 0xf00, false},
		"both bits, and what else that may be":       {0xf00, 0xf00, false},
		"a mask that does not ask for all four":      {0xe00, 0xe00, false},
		"a mask that asks for nothing":               {0xe00, 0, false},
		"bits that the mask does not ask for":        {0xe00, 0xff, false},
		"another's mark in the lowest eight bits":    {0x2a, 0xffffffff, false},
		"a mark of a VPN's, which asks for all bits": {0xd2a, 0xffffffff, false},
		"Kubernetes' mark for what is masqueraded":   {0x4000, 0x4000, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := encrypts(tc.value, tc.mask); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
