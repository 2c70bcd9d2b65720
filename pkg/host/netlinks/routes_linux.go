// SPDX-License-Identifier: Apache-2.0

package netlinks

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Route is a route of the kernel's.
type Route struct {
	// Dst is where it leads; of the default route, everything of its family.
	Dst *net.IPNet
	// Table, Type, Priority, Flags and Protocol are the kernel's numbers.
	Table, Type, Priority, Flags int
	Protocol                     netlink.RouteProtocol
	// Hops are its ways; more than one if it has several, and none if it leads nowhere.
	Hops []Hop
	// Object is the number of the nexthop object that says its ways; zero for none.
	Object uint32
	// raw is the route as the kernel sent it.
	raw []byte
}

// Hop is one way that a route leads.
type Hop struct {
	// Link is the index of its link; zero if the route names none.
	Link int
	// Via is its gateway; nil for what is on the link itself.
	Via net.IP
}

// Over reports whether one of the ways of a route is over a link.
func (r Route) Over(link int) bool {
	return slices.ContainsFunc(r.Hops, func(h Hop) bool { return h.Link == link })
}

// Routes lists the routes of all tables and both families. Those of nexthop objects
// (ip-nexthop(8)) have the ways of these, also where the kernel shows no more of them than
// the number (net.ipv4.nexthop_compat_mode).
func Routes() ([]Route, error) {
	out, err := listed(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, &nl.RtMsg{}, parseRoute)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	out = slices.DeleteFunc(out, func(r Route) bool { return r.Dst == nil }) // of another family
	untold := func(r Route) bool { return r.Object != 0 && len(r.Hops) == 0 }
	if !slices.ContainsFunc(out, untold) {
		return out, nil
	}
	objects, err := nexthops()
	for i, r := range out {
		if untold(r) {
			out[i].Hops = objects[r.Object]
		}
	}
	return out, err
}

// Delete deletes a route, and none that is only like it: the kernel is told all that it
// has said of it. Of the ways of a nexthop object it takes the number alone
// (net/ipv4/fib_frontend.c, rtm_to_fib_config). A route that is gone is no error.
func (r Route) Delete() error {
	head := *nl.DeserializeRtMsg(r.raw)
	list, err := nl.ParseRouteAttr(r.raw[unix.SizeofRtMsg:])
	if err != nil {
		return err
	}
	left := []uint16{unix.RTA_CACHEINFO}
	if r.Object != 0 {
		left = append(left, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_OIF, unix.RTA_MULTIPATH, unix.RTA_ENCAP, unix.RTA_ENCAP_TYPE)
		head.Type = unix.RTN_UNSPEC // a blackhole is one of the object's
	}
	request := nl.NewNetlinkRequest(unix.RTM_DELROUTE, unix.NLM_F_ACK)
	request.AddData(&head)
	for _, a := range list {
		if !slices.Contains(left, plain(a.Attr.Type)) {
			request.AddData(nl.NewRtAttr(int(a.Attr.Type), a.Value))
		}
	}
	if _, err := request.Execute(unix.NETLINK_ROUTE, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// parseRoute reads what the kernel has sent of a route. One that is not of IP has no Dst.
func parseRoute(message []byte) (r Route, err error) {
	if len(message) < unix.SizeofRtMsg {
		return r, errShort
	}
	head := nl.DeserializeRtMsg(message)
	size, known := map[uint8]int{unix.AF_INET: net.IPv4len, unix.AF_INET6: net.IPv6len}[head.Family]
	if !known {
		return r, nil
	}
	r = Route{
		Dst:   &net.IPNet{IP: make(net.IP, size), Mask: net.CIDRMask(int(head.Dst_len), 8*size)},
		Table: int(head.Table), Type: int(head.Type), Flags: int(head.Flags), Protocol: netlink.RouteProtocol(head.Protocol), raw: message,
	}
	var one Hop
	err = attributes(message[unix.SizeofRtMsg:], func(kind uint16, v []byte) error {
		switch kind {
		case unix.RTA_DST:
			r.Dst.IP = v
		case unix.RTA_TABLE:
			r.Table = number(v)
		case unix.RTA_PRIORITY:
			r.Priority = number(v)
		case routeObject:
			r.Object = uint32(number(v))
		case unix.RTA_OIF:
			one.Link = number(v)
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			one.Via = gateway(kind, v)
		case unix.RTA_MULTIPATH:
			hops, err := multipath(v)
			r.Hops = append(r.Hops, hops...)
			return err
		}
		return nil
	})
	if one.Link != 0 || one.Via != nil {
		r.Hops = append(r.Hops, one)
	}
	return r, err
}

// multipath reads the ways of a route that has several.
func multipath(rest []byte) ([]Hop, error) {
	var out []Hop
	for len(rest) > 0 {
		if len(rest) < unix.SizeofRtNexthop {
			return nil, errShort
		}
		head := nl.DeserializeRtNexthop(rest).RtNexthop
		size := int(head.Len)
		if size < unix.SizeofRtNexthop || size > len(rest) {
			return nil, errShort
		}
		h := Hop{Link: int(head.Ifindex)}
		err := attributes(rest[unix.SizeofRtNexthop:size], func(kind uint16, v []byte) error {
			if kind == unix.RTA_GATEWAY || kind == unix.RTA_VIA {
				h.Via = gateway(kind, v)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, h)
		rest = rest[min((size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(rest)):]
	}
	return out, nil
}

// gateway is the address of one; of another family than the route's it has that before it
// (struct rtvia).
func gateway(kind uint16, v []byte) net.IP {
	if kind == unix.RTA_VIA {
		v = v[min(2, len(v)):]
	}
	if len(v) != net.IPv4len && len(v) != net.IPv6len {
		return nil
	}
	return net.IP(v)
}
