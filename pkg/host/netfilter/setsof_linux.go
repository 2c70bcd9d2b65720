// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// IPSetNumbers are the kernel's numbers of the ip sets that an nft rule asks or fills, as
// iptables writes it; a legacy rule names them in its text.
func (r Rule) IPSetNumbers() []uint16 {
	var out []uint16
	note := func(info []byte) {
		const none = 1<<16 - 1 // IPSET_INVALID_ID
		if len(info) < 2 {
			return
		}
		if number := binary.NativeEndian.Uint16(info); number != none {
			out = append(out, number)
		}
	}
	_ = eachExpression(r.Raw, func(name, data []byte) error { // it was understood when it was read
		switch string(name) {
		case "match": // each revision of xt_set_info_match begins with the number
			if extension, info := extensionOf(data, unix.NFTA_MATCH_NAME, unix.NFTA_MATCH_INFO); extension == "set" {
				note(info)
			}
		case "target": // xt_set_info_target, since its revision 1: add, delete, map
			extension, info := extensionOf(data, unix.NFTA_TARGET_NAME, unix.NFTA_TARGET_INFO)
			for at := 0; extension == "SET" && at <= 8 && at < len(info); at += 4 {
				note(info[at:])
			}
		}
		return nil
	})
	return out
}

// extensionOf is which extension of xtables an expression calls, and with what.
func extensionOf(data []byte, nameKind, infoKind uint16) (name string, info []byte) {
	_ = attrs(data, func(kind uint16, v []byte) error { // what is cut short has neither
		switch kind {
		case nameKind:
			name = text(v)
		case infoKind:
			info = v
		}
		return nil
	})
	return name, info
}
