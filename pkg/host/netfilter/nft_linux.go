// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

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
// kernel's order, all of one generation. It returns no tables on a kernel
// without nf_tables.
func ReadNft() ([]Table, error) {
	return readNft(func(s *socket) (map[string]*Table, error) {
		tables, err := readTables(s)
		if err == nil {
			err = readRules(s, tables)
		}
		return tables, err
	})
}

// ReadChains is ReadNft without the rules: a host with ten thousand of them answers
// in a tenth of the time who has chains there.
func ReadChains() ([]Table, error) { return readNft(readTables) }

// readNft makes the listings of one look, all of one generation.
func readNft(read func(*socket) (map[string]*Table, error)) ([]Table, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	var tables map[string]*Table
	for range dumpTries {
		var before, after uint32
		if before, err = s.generation(); err != nil {
			break
		}
		if tables, err = read(s); err != nil {
			break
		}
		if after, err = s.generation(); err != nil || before == after {
			for _, t := range tables {
				t.Generation = before
			}
			break
		}
		err = fmt.Errorf("list nft rules: %w", errInterrupted)
	}
	switch {
	// The kernel has no nf_tables: it knows no such subsystem, and says that
	// the message is invalid.
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EINVAL):
		return nil, nil
	case err != nil:
		return nil, err
	}
	out := make([]Table, 0, len(tables))
	for _, key := range slices.Sorted(maps.Keys(tables)) {
		out = append(out, *tables[key])
	}
	return out, nil
}

// Generation is the number of the state that nf_tables is in, as
// Table.Generation has it.
func Generation() (uint32, error) {
	s, err := open()
	if err != nil {
		return 0, err
	}
	defer s.close()
	return s.generation()
}

// generation is the number of the state that nf_tables is in.
func (s *socket) generation() (uint32, error) {
	if err := s.send((request{subsys: subsysNft, message: messageGetGen}).encode(nil, 1)); err != nil {
		return 0, err
	}
	generation := uint32(0)
	err := s.receive(func(h header, payload []byte) (bool, error) {
		if h.kind == unix.NLMSG_ERROR && len(payload) >= 4 {
			return true, errno(payload)
		}
		if len(payload) < 4 {
			return false, errTruncated
		}
		return true, attrs(payload[4:], func(kind uint16, v []byte) error {
			if kind == attrGenID && len(v) == 4 {
				generation = binary.BigEndian.Uint32(v)
			}
			return nil
		})
	})
	return generation, err
}

// readTables lists the tables and their chains.
func readTables(s *socket) (map[string]*Table, error) {
	tables := map[string]*Table{}
	err := s.dump(request{subsys: subsysNft, message: unix.NFT_MSG_GETTABLE}, func() { clear(tables) },
		func(family uint8, msg []byte) error {
			t := &Table{Backend: Nft, Family: families()[family]}
			err := attrs(msg, func(kind uint16, v []byte) error {
				switch {
				case kind == unix.NFTA_TABLE_NAME:
					t.Name = text(v)
				case kind == unix.NFTA_TABLE_USE && len(v) == 4:
					t.Use = binary.BigEndian.Uint32(v)
				}
				return nil
			})
			tables[t.String()] = t
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list nft tables: %w", err)
	}
	return tables, readChains(s, tables)
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
				c.Base, c.Hook = true, bytes.Clone(v)
			case unix.NFTA_CHAIN_USE:
				if len(v) == 4 {
					c.Use = binary.BigEndian.Uint32(v)
				}
			case unix.NFTA_CHAIN_TYPE:
				c.Type = text(v)
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
	var pieces slab
	var at place
	err := s.dump(request{subsys: subsysNft, message: unix.NFT_MSG_GETRULE}, reset, func(family uint8, msg []byte) error {
		r, table, chain, err := parseRule(msg, &pieces)
		if c := at.chain(family, table, chain, chains); c != nil {
			c.Rules = append(c.Rules, r)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list nft rules: %w", err)
	}
	return nil
}

// DeleteNft makes one transaction of a table's deletions. It fails with
// ErrChanged, and nothing is deleted, unless nf_tables is in the generation
// that Table.Generation says.
func DeleteNft(d Deletion) error {
	s, err := open()
	if err != nil {
		return err
	}
	// The kernel lets no program close a socket until what was deleted is freed as
	// well, which takes as long again as deleting it.
	defer func() { go s.close() }()
	if err := s.apply(requests(d), d.Table.Generation); err != nil {
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
	chain := func(name string, flags uint16) {
		a := attrText(named(unix.NFTA_CHAIN_TABLE), unix.NFTA_CHAIN_NAME, name)
		out = append(out, request{subsys: subsysNft, message: unix.NFT_MSG_DELCHAIN, flags: flags, family: family, attrs: a})
	}
	for _, name := range d.Chains {
		chain(name, 0)
	}
	for _, name := range d.Bare {
		chain(name, nonRecursive)
	}
	if d.Drop {
		out = append(out, request{subsys: subsysNft, message: unix.NFT_MSG_DELTABLE, flags: nonRecursive, family: family,
			attrs: named(unix.NFTA_TABLE_NAME)})
	}
	return out
}
