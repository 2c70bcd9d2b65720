// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// chunk is some messages of a dump, or why there are none.
type chunk struct {
	buf []byte
	n   int
	err error
}

// receiveAhead is receive for a dump: the kernel prepares the next messages
// while each looks at the last ones.
func (s *socket) receiveAhead(each func(h header, payload []byte) (last bool, err error)) error {
	const ahead = 2
	free, chunks := make(chan []byte, ahead), make(chan chunk, ahead)
	for range ahead {
		free <- make([]byte, receiveSize)
	}
	go s.dumped(free, chunks)
	w := walker{each: each}
	var failed error
	for c := range chunks { // to its end, since the socket is in use until then
		if c.err != nil && failed == nil {
			failed = c.err
		}
		if failed == nil {
			_, failed = w.walk(c.buf[:c.n])
		}
		free <- c.buf
	}
	return failed
}

// dumped reads a dump to its end.
func (s *socket) dumped(free <-chan []byte, out chan<- chunk) {
	defer close(out)
	for {
		c := chunk{buf: <-free}
		c.n, c.err = s.read(c.buf)
		last := c.err != nil || ends(c.buf[:c.n])
		out <- c
		if last {
			return
		}
	}
}

// ends reports whether a dump ends in some messages: by its end, by an error, or
// by something that is no message.
func ends(msgs []byte) bool {
	for len(msgs) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(msgs))
		kind := binary.NativeEndian.Uint16(msgs[4:])
		if kind == unix.NLMSG_DONE || kind == unix.NLMSG_ERROR || size < unix.SizeofNlMsghdr || size > len(msgs) {
			return true
		}
		msgs = msgs[min(align(size), len(msgs)):]
	}
	return false
}
