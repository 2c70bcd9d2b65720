// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// parseRule reads one rule; the names are part of the message.
func parseRule(msg []byte, keep *slab) (r Rule, table, chain []byte, err error) {
	err = attrs(msg, func(kind uint16, v []byte) error {
		switch kind {
		case unix.NFTA_RULE_TABLE:
			table = bare(v)
		case unix.NFTA_RULE_CHAIN:
			chain = bare(v)
		case unix.NFTA_RULE_HANDLE:
			if len(v) == 8 {
				r.Handle = binary.BigEndian.Uint64(v)
			}
		case unix.NFTA_RULE_EXPRESSIONS:
			r.Raw = keep.clone(v)
			return r.expressions(r.Raw)
		case unix.NFTA_RULE_USERDATA:
			r.UserData = keep.clone(v)
			r.userdata(v)
		}
		return nil
	})
	return r, table, chain, err
}

// place is the chain that the rule before belonged to: the kernel lists them
// chain by chain.
type place struct {
	family uint8
	names  []byte
	found  *Chain
}

// chain finds the chain of a rule; nil if it is not known.
func (p *place) chain(family uint8, table, chain []byte, all map[string]*Chain) *Chain {
	same := p.found != nil && p.family == family && len(p.names) == len(table)+1+len(chain) &&
		bytes.HasPrefix(p.names, table) && p.names[len(table)] == ' ' && bytes.HasSuffix(p.names, chain)
	if !same {
		p.family = family
		p.names = append(append(append(p.names[:0], table...), ' '), chain...)
		p.found = all[Table{Backend: Nft, Family: families()[family], Name: string(table)}.String()+" "+string(chain)]
	}
	return p.found
}

// slab keeps many small pieces in few large ones.
type slab struct{ free []byte }

func (s *slab) clone(v []byte) []byte {
	const size = 256 << 10
	if cap(s.free)-len(s.free) < len(v) {
		s.free = make([]byte, 0, max(size, len(v)))
	}
	begin := len(s.free)
	s.free = append(s.free, v...)
	return s.free[begin:len(s.free):len(s.free)]
}

// expressions takes from a rule the little that has to be understood: where it
// jumps to and its comment. Everything else is left as it is, so that kernels and
// tools may invent what they like.
func (r *Rule) expressions(list []byte) error {
	return eachExpression(list, func(name, data []byte) error {
		switch string(name) {
		case "immediate":
			return r.verdict(data)
		case "match":
			return r.match(data)
		}
		return nil
	})
}

// verdict finds the chain that an immediate jumps to.
func (r *Rule) verdict(data []byte) error {
	return nested(data, []uint16{unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT, unix.NFTA_VERDICT_CHAIN}, func(v []byte) {
		r.Targets = append(r.Targets, text(v))
	})
}

// match finds the comment that iptables-nft writes as a match of xtables.
func (r *Rule) match(data []byte) error {
	var name, info []byte
	err := attrs(data, func(kind uint16, v []byte) error {
		switch kind {
		case unix.NFTA_MATCH_NAME:
			name = bare(v)
		case unix.NFTA_MATCH_INFO:
			info = v
		}
		return nil
	})
	if string(name) == "comment" {
		r.Comments = append(r.Comments, text(info))
	}
	return err
}

// userdata finds the comment that nft writes: type 0, length, text.
func (r *Rule) userdata(v []byte) {
	for len(v) >= 2 && int(v[1])+2 <= len(v) {
		if v[0] == 0 {
			r.Comments = append(r.Comments, text(v[2:2+int(v[1])]))
		}
		v = v[2+int(v[1]):]
	}
}

// nested walks down a path of attribute kinds and calls found at its end.
func nested(data []byte, path []uint16, found func([]byte)) error {
	return attrs(data, func(kind uint16, v []byte) error {
		switch {
		case kind != path[0]:
			return nil
		case len(path) == 1:
			found(v)
			return nil
		}
		return nested(v, path[1:], found)
	})
}
