// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// families are the kernel's numbers of nft's families.
func families() map[uint8]string {
	return map[uint8]string{
		unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_ARP: "arp",
		unix.NFPROTO_NETDEV: "netdev", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_IPV6: "ip6",
	}
}

func familyNumber(name string) uint8 {
	for number, n := range families() {
		if n == name {
			return number
		}
	}
	return unix.NFPROTO_UNSPEC
}

// ReadNft reads all nf_tables tables of the calling thread's network
// namespace, sorted by family and name, with the chains and rules in the
// kernel's order. It returns no tables on a kernel without nf_tables.
func ReadNft() ([]Table, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	// Rules come last: a chain that appears meanwhile has rules without a
	// chain, which are dropped; the next look sees both.
	var keys []string
	tables := map[string]*Table{}
	err = s.dump(request{subsys: subsysNft, message: unix.NFT_MSG_GETTABLE}, func() { keys, tables = nil, map[string]*Table{} },
		func(family uint8, msg []byte) error {
			t := &Table{Backend: Nft, Family: families()[family]}
			err := attrs(msg, func(kind uint16, v []byte) error {
				if kind == unix.NFTA_TABLE_NAME {
					t.Name = text(v)
				}
				return nil
			})
			tables[t.String()], keys = t, append(keys, t.String())
			return err
		})
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list nft tables: %w", err)
	}
	if err := readChains(s, tables); err != nil {
		return nil, err
	}
	if err := readRules(s, tables); err != nil {
		return nil, err
	}
	slices.Sort(keys)
	out := make([]Table, 0, len(keys))
	for _, k := range keys {
		out = append(out, *tables[k])
	}
	return out, nil
}

func readChains(s *socket, tables map[string]*Table) error {
	reset := func() {
		for _, t := range tables {
			t.Chains = nil
		}
	}
	err := s.dump(request{subsys: subsysNft, message: unix.NFT_MSG_GETCHAIN}, reset, func(family uint8, msg []byte) error {
		var c Chain
		t := Table{Backend: Nft, Family: families()[family]}
		err := attrs(msg, func(kind uint16, v []byte) error {
			switch kind {
			case unix.NFTA_CHAIN_TABLE:
				t.Name = text(v)
			case unix.NFTA_CHAIN_NAME:
				c.Name = text(v)
			case unix.NFTA_CHAIN_HOOK:
				c.Base = true
			case unix.NFTA_CHAIN_POLICY:
				c.Policy = "drop"
				if len(v) == 4 && binary.BigEndian.Uint32(v) == 1 { // NF_ACCEPT
					c.Policy = "accept"
				}
			}
			return nil
		})
		if owner := tables[t.String()]; owner != nil {
			owner.Chains = append(owner.Chains, c)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list nft chains: %w", err)
	}
	return nil
}

func readRules(s *socket, tables map[string]*Table) error {
	chains := map[string]*Chain{}
	for key, t := range tables {
		for i := range t.Chains {
			chains[key+" "+t.Chains[i].Name] = &t.Chains[i]
		}
	}
	reset := func() {
		for _, c := range chains {
			c.Rules = nil
		}
	}
	err := s.dump(request{subsys: subsysNft, message: unix.NFT_MSG_GETRULE}, reset, func(family uint8, msg []byte) error {
		var r Rule
		chain := ""
		t := Table{Backend: Nft, Family: families()[family]}
		err := attrs(msg, func(kind uint16, v []byte) error {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				t.Name = text(v)
			case unix.NFTA_RULE_CHAIN:
				chain = text(v)
			case unix.NFTA_RULE_HANDLE:
				if len(v) == 8 {
					r.Handle = binary.BigEndian.Uint64(v)
				}
			case unix.NFTA_RULE_EXPRESSIONS:
				r.Raw = bytes.Clone(v)
				return r.expressions(r.Raw)
			case unix.NFTA_RULE_USERDATA:
				r.userdata(v)
			}
			return nil
		})
		if c := chains[t.String()+" "+chain]; c != nil {
			c.Rules = append(c.Rules, r)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list nft rules: %w", err)
	}
	return nil
}

// DeleteNft makes one transaction of a table's deletions.
func DeleteNft(d Deletion) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.apply(requests(d)); err != nil {
		return fmt.Errorf("delete from table %s: %w", d.Table, err)
	}
	return nil
}

// requests puts deletions in the only order that works: first every rule that
// jumps somewhere, then the chains that nothing jumps to any more.
func requests(d Deletion) []request {
	family := familyNumber(d.Table.Family)
	named := func(kind uint16) []byte { return attrText(nil, kind, d.Table.Name) }
	if d.Whole {
		return []request{{subsys: subsysNft, message: unix.NFT_MSG_DELTABLE, family: family, attrs: named(unix.NFTA_TABLE_NAME)}}
	}
	var out []request
	rule := func(chain string, handle uint64) {
		a := attrText(named(unix.NFTA_RULE_TABLE), unix.NFTA_RULE_CHAIN, chain)
		if handle != 0 {
			a = attr(a, unix.NFTA_RULE_HANDLE, binary.BigEndian.AppendUint64(nil, handle))
		}
		out = append(out, request{subsys: subsysNft, message: unix.NFT_MSG_DELRULE, family: family, attrs: a})
	}
	for _, chain := range slices.Sorted(maps.Keys(d.Rules)) {
		for _, r := range d.Rules[chain] {
			if r.Handle != 0 { // zero would empty the chain
				rule(chain, r.Handle)
			}
		}
	}
	for _, chain := range d.Flush {
		rule(chain, 0)
	}
	for _, chain := range d.Chains {
		a := attrText(named(unix.NFTA_CHAIN_TABLE), unix.NFTA_CHAIN_NAME, chain)
		out = append(out, request{subsys: subsysNft, message: unix.NFT_MSG_DELCHAIN, family: family, attrs: a})
	}
	return out
}

// HandleText is a rule's handle as nft prints it.
func (r Rule) HandleText() string { return "handle " + strconv.FormatUint(r.Handle, 10) }
