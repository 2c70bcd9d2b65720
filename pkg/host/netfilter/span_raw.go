// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"encoding/binary"
	"net/netip"
)

// The kernel's numbers (include/uapi/linux/netfilter/nf_tables.h).
const (
	networkHeader        = 1
	less, lessOrEqual    = 2, 3
	more, moreOrEqual    = 4, 5
	firstShortRegister   = 8 // NFT_REG32_00, the beginning of register 1
	shortRegistersInLong = 4
)

// decoder follows addresses through the registers of a rule.
type decoder struct {
	family string
	holds  map[uint32]loading
	spans  []Span
}

// loading is what a register has.
type loading struct {
	// size is that of the address that was loaded, in bytes; zero for anything else.
	size int
	// mask is what is left of it; nil for all that was loaded.
	mask []byte
	// from is the least that it is to be, until the most is told.
	from netip.Addr
	// value is a constant that was loaded.
	value []byte
}

// numbers are the attributes of an expression that are numbers, and data those that hold
// a constant.
func numbers(raw []byte) (number map[uint16]uint32, data map[uint16][]byte, err error) {
	number, data = map[uint16]uint32{}, map[uint16][]byte{}
	err = attrs(raw, func(kind uint16, v []byte) error {
		if len(v) == 4 {
			number[kind] = binary.BigEndian.Uint32(v)
		}
		data[kind] = v
		return nil
	})
	return number, data, err
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

// register is a register's number among those of four bytes.
func register(n uint32) uint32 {
	if n >= 1 && n <= 4 {
		return firstShortRegister + shortRegistersInLong*(n-1)
	}
	return n
}

func (d *decoder) expression(name, raw []byte) error {
	number, data, err := numbers(raw)
	if err != nil {
		return err
	}
	switch string(name) {
	case "payload": // DREG, BASE, OFFSET, LEN
		d.holds[register(number[1])] = loading{size: loaded(number[2], number[3], number[4])}
	case "bitwise": // SREG, DREG, LEN, MASK
		from := d.holds[register(number[1])]
		from.mask = constant(data[4])
		d.holds[register(number[2])] = from
	case "immediate": // DREG, DATA
		d.holds[register(number[1])] = loading{value: constant(data[2])}
	case "cmp": // SREG, OP, DATA
		d.compare(register(number[1]), number[2], constant(data[3]))
	case "range": // SREG, OP, FROM, TO
		if at := d.holds[register(number[1])]; at.size > 0 {
			d.add(constant(data[3]), constant(data[4]))
		}
	case "nat": // TYPE, FAMILY, ADDR_MIN, ADDR_MAX
		from, to := d.holds[register(number[3])].value, d.holds[register(number[4])].value
		if to == nil {
			to = from
		}
		d.add(from, to)
	case "target", "match": // NAME, REV, INFO
		d.extension(text(data[1]), data[3])
	default: // what else there is may write to its register
		delete(d.holds, register(number[1]))
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
func (d *decoder) compare(register, how uint32, value []byte) {
	at := d.holds[register]
	if at.size == 0 || len(value) == 0 || len(value) > at.size {
		return
	}
	whole := append(append([]byte{}, value...), make([]byte, at.size-len(value))...)
	ip, _ := netip.AddrFromSlice(whole)
	switch how {
	case more, moreOrEqual:
		at.from = ip
		d.holds[register] = at
	case less, lessOrEqual:
		if at.from.IsValid() {
			d.spans = append(d.spans, Span{at.from, ip})
		}
	default:
		mask := at.mask
		if mask == nil {
			for range value {
				mask = append(mask, 0xff)
			}
		}
		if s, is := masked(ip, mask); is {
			d.spans = append(d.spans, s)
		}
	}
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
func (d *decoder) extension(name string, info []byte) {
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
	switch name {
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
