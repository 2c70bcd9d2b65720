// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Numbers of include/uapi/linux/netfilter/ipset/ip_set.h.
const (
	setDestroy, setList = 3, 7
	setByName           = 14 // since Linux 4.20
	setProtocolVersion  = 6
	setProtocolByName   = 7
	setAttrProtocol     = 1
	setAttrName         = 2
	setAttrType         = 3
	setAttrFlags        = 6
	setAttrData         = 7
	setAttrElements     = 8
	setAttrIndex        = 11
	setAttrMember       = 18 // IPSET_ATTR_NAME
	setAttrReferences   = 25
	setFlagNames        = 1 << 1
	setFlagHeaders      = 1 << 2
	setBusy             = unix.Errno(4100) // IPSET_ERR_BUSY, which libc has no name for
)

// ErrInUse says that a rule, another set or a program still holds what was to be deleted.
var ErrInUse = errors.New("it is in use")

// IPSet is an ip set and what holds it.
type IPSet struct {
	Name string
	// References is how many hold it, as the kernel counts: rules, and lists of sets.
	References uint32
	// Members are the sets in a list of sets; nil for other sets.
	Members []string
}

// IPSets lists the names of all ip sets, sorted. Where the kernel has no ip
// sets loaded there are none; it is not asked, since asking would load them.
func IPSets() ([]string, error) {
	var out []string
	err := listSets(setFlagNames, "", func() { out = nil }, func(kind uint16, v []byte) error {
		if kind == setAttrName {
			out = append(out, text(v))
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// HeldIPSets are the ip sets, sorted, with what holds them.
func HeldIPSets() ([]IPSet, error) {
	var out []IPSet
	lists := map[string]bool{}
	err := listSets(setFlagHeaders, "", func() { out = nil }, func(kind uint16, v []byte) error {
		switch kind {
		case setAttrName:
			out = append(out, IPSet{Name: text(v)})
		case setAttrType:
			if len(out) > 0 && text(v) == "list:set" {
				lists[out[len(out)-1].Name] = true
			}
		case setAttrData:
			return attrs(v, func(kind uint16, v []byte) error {
				if kind == setAttrReferences && len(v) == 4 && len(out) > 0 {
					out[len(out)-1].References = binary.BigEndian.Uint32(v)
				}
				return nil
			})
		}
		return nil
	})
	for i := range out {
		if err == nil && lists[out[i].Name] {
			out[i].Members, err = members(out[i].Name)
		}
	}
	slices.SortFunc(out, func(a, b IPSet) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// members are the sets in a list of sets.
func members(list string) ([]string, error) {
	var out []string
	err := listSets(0, list, func() { out = nil }, func(kind uint16, v []byte) error {
		if kind != setAttrElements {
			return nil
		}
		return attrs(v, func(_ uint16, one []byte) error {
			return attrs(one, func(kind uint16, v []byte) error {
				if kind == setAttrMember {
					out = append(out, text(v))
				}
				return nil
			})
		})
	})
	if errors.Is(err, unix.ENOENT) { // it has gone since
		err = nil
	}
	return out, err
}

// listSets calls each with the attributes of the kernel's answers about all ip sets, or of
// one name.
func listSets(flags uint32, name string, reset func(), each func(kind uint16, v []byte) error) error {
	if _, err := os.Stat("/sys/module/ip_set"); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	a := attr(nil, setAttrProtocol, []byte{setProtocolVersion})
	if name != "" {
		a = attrText(a, setAttrName, name)
	}
	if flags != 0 {
		a = attr(a, setAttrFlags|attrNetwork, binary.BigEndian.AppendUint32(nil, flags))
	}
	err = s.dump(request{subsys: subsysSet, message: setList, attrs: a}, reset, func(_ uint8, msg []byte) error { return attrs(msg, each) })
	if errors.Is(err, unix.EINVAL) { // no such subsystem
		return nil
	}
	if err != nil {
		return fmt.Errorf("list ip sets: %w", err)
	}
	return nil
}

// IPSetNumbers are the kernel's numbers of ip sets, by which nft rules know them, as far
// as the kernel tells them.
func IPSetNumbers(names []string) (map[uint16]string, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	out := map[uint16]string{}
	for _, name := range names {
		a := attr(nil, setAttrProtocol, []byte{setProtocolByName})
		a = attrText(a, setAttrName, name)
		if err := s.send(request{subsys: subsysSet, message: setByName, attrs: a}.encode(nil, 1)); err != nil {
			return out, err
		}
		err := s.receive(func(h header, payload []byte) (bool, error) {
			if h.kind == unix.NLMSG_ERROR {
				return true, errno(payload)
			}
			if len(payload) < 4 {
				return true, errTruncated
			}
			return true, attrs(payload[4:], func(kind uint16, v []byte) error {
				if kind&^attrNetwork == setAttrIndex && len(v) == 2 {
					out[binary.BigEndian.Uint16(v)] = name
				}
				return nil
			})
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return out, fmt.Errorf("get the number of ip set %s: %w", name, err)
		}
	}
	return out, nil
}

// DestroyIPSet removes one ip set with what is in it, or fails with ErrInUse, and nothing
// has changed. Removing one that is gone is no error.
func DestroyIPSet(name string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	a := attrText(attr(nil, setAttrProtocol, []byte{setProtocolVersion}), setAttrName, name)
	err = s.command(request{subsys: subsysSet, message: setDestroy, flags: unix.NLM_F_ACK, attrs: a})
	switch {
	case errors.Is(err, setBusy):
		err = ErrInUse
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	}
	return fmt.Errorf("destroy ip set %s: %w", name, err)
}

// command sends one request outside of a transaction and waits for its
// acknowledgement.
func (s *socket) command(r request) error {
	if err := s.send(r.encode(nil, 1)); err != nil {
		return err
	}
	return s.receive(func(h header, payload []byte) (bool, error) {
		if h.kind != unix.NLMSG_ERROR || len(payload) < 4 {
			return false, nil
		}
		return true, errno(payload)
	})
}

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
