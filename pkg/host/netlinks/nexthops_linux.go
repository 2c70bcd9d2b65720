// SPDX-License-Identifier: Apache-2.0

package netlinks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What unix does not have of nexthop objects, which are there since Linux 5.3
// (linux/rtnetlink.h, linux/nexthop.h).
const (
	routeObject = 30 // RTA_NH_ID
	nexthopHead = 8  // sizeof(struct nhmsg)
	groupEntry  = 8  // sizeof(struct nexthop_grp)
)

var errShort = errors.New("truncated netlink message")

// nexthop is a nexthop object: one way, or the numbers of several.
type nexthop struct {
	id    uint32
	hop   Hop
	group []uint32
}

// nexthops are the ways of each nexthop object.
func nexthops() (map[uint32][]Hop, error) {
	all, err := listed(unix.RTM_GETNEXTHOP, unix.RTM_NEWNEXTHOP, nhmsg{}, parseNexthop)
	if err != nil {
		return nil, fmt.Errorf("list nexthop objects: %w", err)
	}
	single, out := map[uint32]Hop{}, map[uint32][]Hop{}
	for _, n := range all {
		single[n.id] = n.hop
	}
	for _, n := range all {
		if len(n.group) == 0 && (n.hop.Link != 0 || n.hop.Via != nil) {
			out[n.id] = []Hop{n.hop}
		}
		for _, id := range n.group {
			out[n.id] = append(out[n.id], single[id])
		}
	}
	return out, nil
}

func parseNexthop(message []byte) (n nexthop, err error) {
	if len(message) < nexthopHead {
		return n, errShort
	}
	err = attributes(message[nexthopHead:], func(kind uint16, v []byte) error {
		switch kind {
		case unix.NHA_ID:
			n.id = uint32(number(v))
		case unix.NHA_OIF:
			n.hop.Link = number(v)
		case unix.NHA_GATEWAY:
			n.hop.Via = gateway(unix.RTA_GATEWAY, v)
		case unix.NHA_GROUP:
			for ; len(v) >= groupEntry; v = v[groupEntry:] {
				n.group = append(n.group, binary.NativeEndian.Uint32(v))
			}
		}
		return nil
	})
	return n, err
}

// nhmsg asks for all nexthop objects.
type nhmsg struct{}

func (nhmsg) Len() int          { return nexthopHead }
func (nhmsg) Serialize() []byte { return make([]byte, nexthopHead) }

// listed makes a listing of one kind of thing, and reads each.
func listed[T any](ask, answer int, head nl.NetlinkRequestData, parse func([]byte) (T, error)) ([]T, error) {
	messages, err := Dump(func() ([][]byte, error) {
		request := nl.NewNetlinkRequest(ask, unix.NLM_F_DUMP)
		request.AddData(head)
		return request.Execute(unix.NETLINK_ROUTE, uint16(answer))
	})
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(messages))
	for _, message := range messages {
		one, err := parse(message)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// attributes calls each with the attributes of a message.
func attributes(raw []byte, each func(kind uint16, v []byte) error) error {
	list, err := nl.ParseRouteAttr(raw)
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := each(plain(a.Attr.Type), a.Value); err != nil {
			return err
		}
	}
	return nil
}

// plain is the kind of an attribute without its flags.
func plain(kind uint16) uint16 { return kind &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER) }

// number is that of an attribute; zero if it holds none.
func number(v []byte) int {
	if len(v) != 4 {
		return 0
	}
	return int(binary.NativeEndian.Uint32(v))
}
