// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// dumpTries bounds the repetitions of a dump during which something
	// changed; a dump that was not interrupted is consistent.
	dumpTries  = 10
	replyLimit = 10 * time.Second
	// receiveSize is more than any message.
	receiveSize = 1 << 20
	dumpIntr    = 0x10 // NLM_F_DUMP_INTR
	batchBegin  = 0x10 // NFNL_MSG_BATCH_BEGIN
	batchEnd    = 0x11 // NFNL_MSG_BATCH_END
	subsysNft   = 10   // NFNL_SUBSYS_NFTABLES
	subsysSet   = 6    // NFNL_SUBSYS_IPSET

	batchGeneration = 1     // NFNL_BATCH_GENID, Linux 4.13
	messageGetGen   = 16    // NFT_MSG_GETGEN
	attrGenID       = 1     // NFTA_GEN_ID
	nonRecursive    = 0x100 // NLM_F_NONREC: only what is empty

	errRestart = unix.Errno(85) // ERESTART, which no program gets to see otherwise
)

var (
	// ErrChanged says that someone else changed the packet filter between a
	// look at it and a change that rests on it. Look again.
	ErrChanged = errors.New("another program changed the packet filter at the same time")

	errInterrupted = errors.New("changed while it was read")
)

// socket is one netlink socket to the kernel's packet filter, in the network
// namespace of the thread that opened it.
type socket struct{ fd int }

func open() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	limit := unix.NsecToTimeval(int64(replyLimit))
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 32<<20))
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up netlink socket: %w", err)
	}
	return &socket{fd: fd}, nil
}

func (s *socket) close() { _ = unix.Close(s.fd) }

// request is one netfilter netlink message.
type request struct {
	subsys, message uint8
	flags           uint16
	family          uint8
	resource        uint16
	attrs           []byte
}

// encode appends the message with its two headers to buf.
func (r request) encode(buf []byte, seq uint32) []byte {
	size := unix.SizeofNlMsghdr + 4 + len(r.attrs)
	buf = binary.NativeEndian.AppendUint32(buf, uint32(size))
	buf = binary.NativeEndian.AppendUint16(buf, uint16(r.subsys)<<8|uint16(r.message))
	buf = binary.NativeEndian.AppendUint16(buf, r.flags|unix.NLM_F_REQUEST)
	buf = binary.NativeEndian.AppendUint32(buf, seq)
	buf = binary.NativeEndian.AppendUint32(buf, 0)
	buf = append(buf, r.family, 0)
	buf = binary.BigEndian.AppendUint16(buf, r.resource)
	buf = append(buf, r.attrs...)
	for len(buf)%4 != 0 {
		buf = append(buf, 0)
	}
	return buf
}

func (s *socket) send(buf []byte) error {
	return unix.Sendto(s.fd, buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// dump asks for all objects of a kind and calls each with the family and the
// attributes of every one. It starts over while others change things, so each
// collects in something that reset empties.
func (s *socket) dump(r request, reset func(), each func(family uint8, attrs []byte) error) error {
	r.flags |= unix.NLM_F_DUMP
	var err error
	for range dumpTries {
		reset()
		if err = s.send(r.encode(nil, 1)); err != nil {
			return err
		}
		err = s.receiveAhead(func(h header, payload []byte) (bool, error) {
			if h.kind == unix.NLMSG_DONE {
				return true, nil
			}
			if h.kind == unix.NLMSG_ERROR && len(payload) >= 4 {
				return true, errno(payload)
			}
			if len(payload) < 4 {
				return false, errTruncated
			}
			return false, each(payload[0], payload[4:])
		})
		if !errors.Is(err, errInterrupted) && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return err
}

// apply sends requests as one transaction: all of them happen or none does,
// and none does if anything changed since a generation (ErrChanged); zero
// means whatever happened.
func (s *socket) apply(requests []request, generation uint32) error {
	if len(requests) == 0 {
		return nil
	}
	begin := request{message: batchBegin, resource: subsysNft}
	if generation != 0 {
		begin.attrs = attr(nil, batchGeneration, binary.BigEndian.AppendUint32(nil, generation))
	}
	buf := begin.encode(nil, 0)
	for i, r := range requests {
		if i == len(requests)-1 {
			r.flags |= unix.NLM_F_ACK // one acknowledgement, for the last, ends the wait
		}
		buf = r.encode(buf, uint32(i+1))
	}
	buf = request{message: batchEnd, resource: subsysNft}.encode(buf, uint32(len(requests)+1))
	if err := s.send(buf); err != nil {
		return err
	}
	var failed error
	err := s.receive(func(h header, payload []byte) (bool, error) {
		if h.kind != unix.NLMSG_ERROR || len(payload) < 4 {
			return false, nil
		}
		err := errno(payload)
		if err != nil && failed == nil {
			failed = fmt.Errorf("message %d of %d: %w", h.seq, len(requests), err)
			if errors.Is(err, errRestart) {
				failed = ErrChanged
			}
		}
		return h.seq == uint32(len(requests)) || (err != nil && h.seq == 0), nil
	})
	return errors.Join(failed, err)
}

type header struct {
	kind, flags uint16
	seq         uint32
}

// receive calls each with every message until it says that this was the last.
// Error messages are errors of a dump, and messages to apply's each.
func (s *socket) receive(each func(h header, payload []byte) (last bool, err error)) error {
	buf := make([]byte, receiveSize)
	w := walker{each: each}
	for {
		n, err := s.read(buf)
		if err != nil {
			return err
		}
		if last, err := w.walk(buf[:n]); last || err != nil {
			return err
		}
	}
}

// read waits for the next messages.
func (s *socket) read(buf []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("netlink: %w", err)
		}
		return n, nil
	}
}

// walker goes through messages.
type walker struct {
	each        func(h header, payload []byte) (last bool, err error)
	interrupted bool
}

func (w *walker) walk(msgs []byte) (last bool, err error) {
	for len(msgs) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(msgs))
		if size < unix.SizeofNlMsghdr || size > len(msgs) {
			return false, errTruncated
		}
		h := header{
			kind: binary.NativeEndian.Uint16(msgs[4:]), flags: binary.NativeEndian.Uint16(msgs[6:]),
			seq: binary.NativeEndian.Uint32(msgs[8:]),
		}
		payload := msgs[unix.SizeofNlMsghdr:size]
		w.interrupted = w.interrupted || h.flags&dumpIntr != 0
		last, err := one(h, payload, w.each)
		if err != nil {
			return false, err
		}
		if last && w.interrupted {
			return true, errInterrupted
		}
		if last {
			return true, nil
		}
		msgs = msgs[min(align(size), len(msgs)):]
	}
	return false, nil
}

// one hands a message on; a dump that fails ends with an error message in
// place of its end.
func one(h header, payload []byte, each func(header, []byte) (bool, error)) (bool, error) {
	if h.kind == unix.NLMSG_DONE && len(payload) >= 4 {
		if err := errno(payload); err != nil {
			return false, err
		}
	}
	return each(h, payload)
}

// errno is the error of an error message or of the end of a dump.
func errno(payload []byte) error {
	if code := -int32(binary.NativeEndian.Uint32(payload)); code > 0 {
		return unix.Errno(code)
	}
	return nil
}

func align(n int) int { return (n + 3) &^ 3 }
