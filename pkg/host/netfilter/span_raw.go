// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// The kernel's numbers (include/uapi/linux/netfilter/nf_tables.h).
const (
	networkHeader        = 1
	linkIn, linkOut      = 6, 7 // NFT_META_IIFNAME, NFT_META_OIFNAME
	longestLink          = 16   // IFNAMSIZ
	less, lessOrEqual    = 2, 3
	more, moreOrEqual    = 4, 5
	firstShortRegister   = 8 // NFT_REG32_00, the beginning of register 1
	lastShortRegister    = 23
	shortRegistersInLong = 4
)

// decoder follows addresses through the registers of a rule.
type decoder struct {
	family string
	// holds is by the number of a short register; the long ones begin at the first.
	holds [lastShortRegister + 1]loading
	spans []Span
	links []string
}

// loading is what a register has.
type loading struct {
	// size is that of the address that was loaded, in bytes; zero for anything else.
	size int
	// link says that it is the name of a link.
	link bool
	// mask is what is left of it; nil for all that was loaded.
	mask []byte
	// from is the least that it is to be, until the most is told.
	from netip.Addr
	// value is a constant that was loaded.
	value []byte
}

// attributes are those of an expression that are read here, by kind: a host has tens
// of thousands of expressions, so that a map for each would be most of the work.
type attributes [5][]byte

func attributesOf(raw []byte) (a attributes, err error) {
	err = attrs(raw, func(kind uint16, v []byte) error {
		if int(kind) < len(a) {
			a[kind] = v
		}
		return nil
	})
	return a, err
}

// number is an attribute that is one; zero for one that is missing or of another size.
func (a *attributes) number(kind uint16) uint32 {
	if v := a[kind]; len(v) == 4 {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// constant is what a nested attribute holds (NFTA_DATA_VALUE).
func constant(raw []byte) (value []byte) {
	_ = attrs(raw, func(kind uint16, v []byte) error { // none, if it is damaged
		if kind == 1 {
			value = v
		}
		return nil
	})
	return value
}

// at is the register of a number; an empty one for a number that is none.
func (d *decoder) at(n uint32) *loading {
	switch {
	case n >= 1 && n <= 4:
		n = firstShortRegister + shortRegistersInLong*(n-1)
	case n < firstShortRegister || n > lastShortRegister:
		return new(loading)
	}
	return &d.holds[n]
}

func (d *decoder) expression(name, raw []byte) error {
	a, err := attributesOf(raw)
	if err != nil {
		return err
	}
	switch string(name) {
	case "meta": // DREG, KEY
		*d.at(a.number(1)) = loading{link: a.number(2) == linkIn || a.number(2) == linkOut}
	case "payload": // DREG, BASE, OFFSET, LEN
		*d.at(a.number(1)) = loading{size: loaded(a.number(2), a.number(3), a.number(4))}
	case "bitwise": // SREG, DREG, LEN, MASK
		from := *d.at(a.number(1))
		from.mask = constant(a[4])
		*d.at(a.number(2)) = from
	case "immediate": // DREG, DATA
		*d.at(a.number(1)) = loading{value: constant(a[2])}
	case "cmp": // SREG, OP, DATA
		d.compare(d.at(a.number(1)), a.number(2), constant(a[3]))
	case "range": // SREG, OP, FROM, TO
		if d.at(a.number(1)).size > 0 {
			d.add(constant(a[3]), constant(a[4]))
		}
	case "nat": // TYPE, FAMILY, ADDR_MIN, ADDR_MAX
		from, to := d.at(a.number(3)).value, d.at(a.number(4)).value
		if to == nil {
			to = from
		}
		d.add(from, to)
	case "target", "match": // NAME, REV, INFO
		d.extension(bare(a[1]), a[3])
	default: // what else there is may write to its register
		*d.at(a.number(1)) = loading{}
	}
	return nil
}

// loaded is the size of the address that a payload is, or begins with: iptables-nft and
// nft load only as many bytes as a network has.
func loaded(base, offset, length uint32) int {
	four := (offset == 12 || offset == 16) && length >= 1 && length <= 4
	sixteen := (offset == 8 || offset == 24) && length >= 1 && length <= 16
	switch {
	case base != networkHeader:
		return 0
	case four:
		return 4
	case sixteen:
		return 16
	}
	return 0
}

// compare notes a comparison of an address.
func (d *decoder) compare(at *loading, how uint32, value []byte) {
	if at.link && len(value) > 0 {
		d.links = append(d.links, linkName(value))
		return
	}
	if at.size == 0 || len(value) == 0 || len(value) > at.size {
		return
	}
	var whole [16]byte
	copy(whole[:], value)
	ip, _ := netip.AddrFromSlice(whole[:at.size])
	switch how {
	case more, moreOrEqual:
		at.from = ip
	case less, lessOrEqual:
		if at.from.IsValid() {
			d.spans = append(d.spans, Span{at.from, ip})
		}
	default:
		mask := at.mask
		if mask == nil {
			mask = bytes.Repeat([]byte{0xff}, len(value))
		}
		if s, is := masked(ip, mask); is {
			d.spans = append(d.spans, s)
		}
	}
}

// linkName is the name of a link as iptables prints it: a comparison with fewer bytes than a name
// may have is with what it begins with.
func linkName(value []byte) string {
	name, _, whole := bytes.Cut(value, []byte{0})
	if !whole && len(value) < longestLink {
		return string(name) + "+"
	}
	return string(name)
}

// add notes the addresses between two constants.
func (d *decoder) add(from, to []byte) {
	first, ok := netip.AddrFromSlice(from)
	last, ok2 := netip.AddrFromSlice(to)
	if ok && ok2 {
		d.spans = append(d.spans, Span{first, last})
	}
}

// extension reads those of xtables that name addresses: struct nf_nat_range and
// nf_nat_ipv4_multi_range_compat of the translations, and xt_iprange_mtinfo.
func (d *decoder) extension(name, info []byte) {
	size := 4
	if d.family == "ip6" {
		size = 16
	}
	const wide = 16 // of a union nf_inet_addr
	pair := func(at, step int) {
		if at+step+size <= len(info) {
			d.add(info[at:at+size], info[at+step:at+step+size])
		}
	}
	const compat, word = 20, 4 // rangesize, flags, min, max, ports
	switch string(name) {
	case "DNAT", "SNAT", "NETMAP":
		if size == 4 && len(info) <= compat+word {
			pair(2*word, word)
			return
		}
		pair(word, wide)
	case "iprange":
		const source, destination = 1, 4 // IPRANGE_SRC, IPRANGE_DST
		flags := byte(0)
		if len(info) > 4*wide {
			flags = info[4*wide]
		}
		if flags&source != 0 {
			pair(0, wide)
		}
		if flags&destination != 0 {
			pair(2*wide, wide)
		}
	}
}
