// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// ErrNoUndo says that a deletion cannot be brought back: whole tables, whose
// sets and maps are not kept, and rules that look something up in one.
var ErrNoUndo = errors.New("it cannot be brought back")

// Restore brings back what a deletion took away, in one transaction, and nothing
// else: foreign rules are neither read nor written again. Rules come back
// where they were, behind the same foreign rule as before as long as that is
// there. Chains that have rules again are left as they are, so that it may be
// called twice. The error is ErrNoUndo for what cannot be brought back.
func Restore(ctx context.Context, l host.Local, d Deletion) error {
	if d.Table.Backend == Legacy {
		return changeLegacy(ctx, l, d.Table.Family, d.Undo())
	}
	return restoreNft(d)
}

func restoreNft(d Deletion) error {
	if d.Whole {
		return fmt.Errorf("table %s: %w", d.Table, ErrNoUndo)
	}
	now, err := ReadNft()
	if err != nil {
		return err
	}
	current := Table{Backend: Nft, Family: d.Table.Family, Name: d.Table.Name}
	for _, t := range now {
		if t.String() == d.Table.String() {
			current = t
		}
	}
	again, err := undo(d, current)
	if err != nil {
		return fmt.Errorf("table %s: %w", d.Table, err)
	}
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.apply(again, current.Generation); err != nil {
		return fmt.Errorf("bring back rules of table %s: %w", d.Table, err)
	}
	return nil
}

// undo are the messages that bring back a deletion from a table that is now as
// current.
func undo(d Deletion, current Table) ([]request, error) {
	family := familyNumber(d.Table.Family)
	out := []request{{subsys: subsysNft, message: unix.NFT_MSG_NEWTABLE, flags: unix.NLM_F_CREATE, family: family,
		attrs: attrText(nil, unix.NFTA_TABLE_NAME, d.Table.Name)}}
	for _, name := range slices.Concat(d.Bare, d.Chains) {
		c := d.Table.Chain(name)
		if c == nil || current.Chain(name) != nil {
			continue
		}
		out = append(out, newChain(family, d.Table.Name, *c))
	}
	add := func(chain string, r Rule, after uint64, last bool) error {
		one, err := newRule(family, d.Table.Name, chain, r)
		if after != 0 {
			one.attrs = attr(one.attrs, unix.NFTA_RULE_POSITION, binary.BigEndian.AppendUint64(nil, after))
		}
		if last || after != 0 {
			one.flags |= unix.NLM_F_APPEND
		}
		out = append(out, one)
		return err
	}
	var errs []error
	for _, name := range d.Flush {
		if c := current.Chain(name); c != nil && len(c.Rules) > 0 {
			continue
		}
		for _, r := range rulesOf(d.Table, name) {
			errs = append(errs, add(name, r, 0, true))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Rules)) {
		old := rulesOf(d.Table, name)
		for i, r := range slices.Backward(old) { // the last first: each goes right behind what stayed before it
			if d.took(name, r) && !hasAlike(current, name, r) {
				errs = append(errs, add(name, r, stayed(old[:i], current, name), false))
			}
		}
	}
	return out, errors.Join(errs...)
}

func rulesOf(t Table, chain string) []Rule {
	if c := t.Chain(chain); c != nil {
		return c.Rules
	}
	return nil
}

// stayed is the handle of the last of some rules that is there now; zero if
// none is.
func stayed(before []Rule, current Table, chain string) uint64 {
	now := rulesOf(current, chain)
	for _, r := range slices.Backward(before) {
		if slices.ContainsFunc(now, func(n Rule) bool { return n.Handle == r.Handle }) {
			return r.Handle
		}
	}
	return 0
}

// hasAlike reports whether a rule that does the same is there.
func hasAlike(current Table, chain string, r Rule) bool {
	return slices.ContainsFunc(rulesOf(current, chain), func(n Rule) bool { return slices.Equal(n.Raw, r.Raw) })
}

func newChain(family uint8, table string, c Chain) request {
	a := attrText(attrText(nil, unix.NFTA_CHAIN_TABLE, table), unix.NFTA_CHAIN_NAME, c.Name)
	if c.Base {
		const drop, accept = 0, 1 // include/uapi/linux/netfilter.h
		policy := uint32(accept)
		if c.Policy == "drop" {
			policy = drop
		}
		a = attr(a, unix.NFTA_CHAIN_HOOK|attrNested, c.Hook)
		a = attr(a, unix.NFTA_CHAIN_POLICY, binary.BigEndian.AppendUint32(nil, policy))
		a = attrText(a, unix.NFTA_CHAIN_TYPE, c.Type)
	}
	return request{subsys: subsysNft, message: unix.NFT_MSG_NEWCHAIN, flags: unix.NLM_F_CREATE, family: family, attrs: a}
}

// newRule makes a rule of its expressions as the kernel gave them. Extensions of
// xtables are checked against the protocol that the rule is for, which the
// kernel wants to be told and does not tell (net/netfilter/nft_compat.c).
func newRule(family uint8, table, chain string, r Rule) (request, error) {
	a := attrText(attrText(nil, unix.NFTA_RULE_TABLE, table), unix.NFTA_RULE_CHAIN, chain)
	a = attr(a, unix.NFTA_RULE_EXPRESSIONS|attrNested, r.Raw)
	if len(r.UserData) > 0 {
		a = attr(a, unix.NFTA_RULE_USERDATA, r.UserData)
	}
	one := request{subsys: subsysNft, message: unix.NFT_MSG_NEWRULE, flags: unix.NLM_F_CREATE, family: family}
	protocol, inverted, err := r.protocol()
	if protocol != 0 {
		flags := uint32(0)
		if inverted {
			flags = unix.NFT_RULE_COMPAT_F_INV
		}
		compat := attr(nil, unix.NFTA_RULE_COMPAT_PROTO, binary.BigEndian.AppendUint32(nil, uint32(protocol)))
		compat = attr(compat, unix.NFTA_RULE_COMPAT_FLAGS, binary.BigEndian.AppendUint32(nil, flags))
		a = attr(a, unix.NFTA_RULE_COMPAT|attrNested, compat)
	}
	one.attrs = a
	return one, err
}

// protocol is the one that a rule's first comparison of the transport protocol
// is about; zero if there is none. A rule that looks something up is ErrNoUndo.
func (r Rule) protocol() (protocol uint8, inverted bool, err error) {
	asked := false // the expression before loaded the protocol
	err = eachExpression(r.Raw, func(kind, data []byte) error {
		name := string(kind)
		switch {
		case name == "lookup" || name == "dynset" || name == "objref":
			return fmt.Errorf("%w: a rule uses %s", ErrNoUndo, name)
		case name == "cmp" && asked && protocol == 0:
			protocol, inverted = compared(data)
		}
		asked = loadsProtocol(name, data)
		return nil
	})
	return protocol, inverted, err
}

// loadsProtocol reports whether an expression loads the transport protocol:
// meta l4proto, or the byte of the IPv4 header.
func loadsProtocol(name string, data []byte) bool {
	number := map[uint16]uint32{}
	err := attrs(data, func(kind uint16, v []byte) error {
		if len(v) == 4 {
			number[kind] = binary.BigEndian.Uint32(v)
		}
		return nil
	})
	const networkHeader, ofProtocol = 1, 9
	switch {
	case err != nil:
		return false
	case name == "meta":
		return number[unix.NFTA_META_KEY] == unix.NFT_META_L4PROTO
	}
	return name == "payload" && number[unix.NFTA_PAYLOAD_BASE] == networkHeader && number[unix.NFTA_PAYLOAD_OFFSET] == ofProtocol &&
		number[unix.NFTA_PAYLOAD_LEN] == 1
}

// compared is the byte that a comparison is with, and whether it must differ.
func compared(data []byte) (value uint8, inverted bool) {
	err := attrs(data, func(kind uint16, v []byte) error {
		switch kind {
		case unix.NFTA_CMP_OP:
			inverted = len(v) == 4 && binary.BigEndian.Uint32(v) == unix.NFT_CMP_NEQ
		case unix.NFTA_CMP_DATA:
			return attrs(v, func(_ uint16, v []byte) error {
				if len(v) == 1 {
					value = v[0]
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return 0, false
	}
	return value, inverted
}
