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
