// SPDX-License-Identifier: Apache-2.0

package netlinks

import (
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// dumpTries is how often a listing is repeated during which something changed;
// the kernel says so (vishvananda/netlink since 1.2.1 hands that on).
const dumpTries = 10

// Dump repeats a listing until nothing changed while it was read.
func Dump[T any](list func() (T, error)) (T, error) {
	var out T
	var err error
	for range dumpTries {
		if out, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return out, err
}

// Addresses are those of a link, or of all of them (nil).
func Addresses(link netlink.Link) ([]netip.Addr, error) {
	all, err := Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(link, netlink.FAMILY_ALL) })
	var out []netip.Addr
	for _, a := range all {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && !ip.IsLinkLocalUnicast() {
			out = append(out, ip.Unmap())
		}
	}
	return out, err
}
