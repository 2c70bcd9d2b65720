// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Numbers of include/uapi/linux/netfilter/ipset/ip_set.h.
const (
	setDestroy, setFlush, setList = 3, 4, 7
	setByName                     = 14 // since Linux 4.20
	setProtocolVersion            = 6
	setProtocolByName             = 7
	setAttrProtocol               = 1
	setAttrName                   = 2
	setAttrFlags                  = 6
	setAttrIndex                  = 11
	setFlagNames                  = 1 << 1
)

// IPSets lists the names of all ip sets, sorted. Where the kernel has no ip
// sets loaded there are none; it is not asked, since asking would load them.
func IPSets() ([]string, error) {
	if _, err := os.Stat("/sys/module/ip_set"); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	a := attr(nil, setAttrProtocol, []byte{setProtocolVersion})
	a = attr(a, setAttrFlags|attrNetwork, binary.BigEndian.AppendUint32(nil, setFlagNames))
	var out []string
	err = s.dump(request{subsys: subsysSet, message: setList, attrs: a}, func() { out = nil }, func(_ uint8, msg []byte) error {
		return attrs(msg, func(kind uint16, v []byte) error {
			if kind == setAttrName {
				out = append(out, text(v))
			}
			return nil
		})
	})
	if errors.Is(err, unix.EINVAL) { // no such subsystem
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list ip sets: %w", err)
	}
	slices.Sort(out)
	return out, nil
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

// DestroyIPSet removes one ip set; the kernel refuses while a rule uses it.
// Removing one that is gone is no error.
func DestroyIPSet(name string) error {
	s, err := open()
	if err != nil {
		return err
	}
	defer s.close()
	for _, command := range []uint8{setFlush, setDestroy} {
		a := attr(nil, setAttrProtocol, []byte{setProtocolVersion})
		a = attrText(a, setAttrName, name)
		r := request{subsys: subsysSet, message: command, flags: unix.NLM_F_ACK, attrs: a}
		if err := s.command(r); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("destroy ip set %s: %w", name, err)
		}
	}
	return nil
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
