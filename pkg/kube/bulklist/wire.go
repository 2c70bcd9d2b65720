// SPDX-License-Identifier: Apache-2.0

package bulklist

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxObject bounds the size of one object of a list; etcd takes no bigger ones
// than a few MiB.
const maxObject = 64 << 20

var errWire = errors.New("the server's protobuf is not what a list looks like")

// frames calls take with the bytes of every object in a list as the API server
// encodes it: "k8s\0", then runtime.Unknown, whose field 2 holds the list, whose
// field 2 holds the objects (apimachinery, pkg/runtime/serializer/protobuf).
// The bytes are good until take returns.
func frames(r *bufio.Reader, take func([]byte) error) error {
	magic := make([]byte, 4)
	if _, err := io.ReadFull(r, magic); err != nil {
		return cut(err)
	}
	if string(magic) != "k8s\x00" {
		return errWire
	}
	for { // the envelope's fields before the list
		field, size, err := header(r)
		if err != nil {
			return err
		}
		if field == 2 {
			return items(r, size, take)
		}
		if _, err := r.Discard(size); err != nil {
			return cut(err)
		}
	}
}

// items reads a list of size bytes.
func items(r *bufio.Reader, size int, take func([]byte) error) error {
	var buf []byte
	counted := &counted{Reader: r}
	for counted.n < size {
		field, length, err := header(counted)
		if err != nil {
			return err
		}
		if length > size-counted.n || length > maxObject {
			return errWire
		}
		if cap(buf) < length {
			buf = make([]byte, length, 2*length)
		}
		buf = buf[:length]
		if _, err := io.ReadFull(r, buf); err != nil {
			return cut(err)
		}
		counted.n += length
		if field == 2 {
			if err := take(buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted counts the bytes that are read one by one.
type counted struct {
	*bufio.Reader
	n int
}

// ReadByte reads and counts one byte.
func (c *counted) ReadByte() (byte, error) {
	c.n++
	return c.Reader.ReadByte()
}

// header reads the number and the size of a field; lists and envelopes have
// none but those with a length.
func header(r io.ByteReader) (field, size int, err error) {
	tag, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, cut(err)
	}
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, 0, cut(err)
	}
	if tag&7 != 2 || length > 1<<40 {
		return 0, 0, errWire
	}
	return int(tag >> 3), int(length), nil
}

// cut makes an end in the middle an error that says so.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the list ended early: %w", err)
}

// jsonItems reads a list in JSON, from a server or proxy that speaks no
// protobuf.
func jsonItems[T any](r io.Reader) ([]T, error) {
	var list struct {
		Items []T `json:"items"`
	}
	return list.Items, json.NewDecoder(r).Decode(&list)
}

// shape says which fields of a message to leave out. Decoding what is not
// used is most of the time that a list of all pods takes.
type shape struct {
	// out are left out, in are looked into, by field number.
	out map[int]bool
	in  map[int]*shape
}

// Without leaves out the fields of the numbers.
func Without(fields ...int) *shape {
	s := &shape{out: map[int]bool{}, in: map[int]*shape{}}
	for _, f := range fields {
		s.out[f] = true
	}
	return s
}

// Within looks into the field of the number.
func (s *shape) Within(field int, inner *shape) *shape {
	s.in[field] = inner
	return s
}

// sizeRoom is the room kept for the size of a message that is looked into: a
// varint of four bytes, which need not be the shortest one.
const sizeRoom = 4

// trim appends the message to dst without what the shape leaves out.
func (s *shape) trim(dst, message []byte) ([]byte, error) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return nil, errWire
		}
		head, size, err := extent(message[n:], tag&7)
		if err != nil {
			return nil, err
		}
		field, end := int(tag>>3), n+head+size
		inner := s.in[field]
		switch {
		case s.out[field]:
		case inner == nil || tag&7 != 2:
			dst = append(dst, message[:end]...)
		default:
			dst = append(dst, message[:n]...)
			at := len(dst)
			dst = append(dst, 0, 0, 0, 0)
			if dst, err = inner.trim(dst, message[n+head:end]); err != nil {
				return nil, err
			}
			put(dst[at:at+sizeRoom], len(dst)-at-sizeRoom)
		}
		message = message[end:]
	}
	return dst, nil
}

// extent is how many bytes a field's value has: of its size, and of itself.
func extent(rest []byte, kind uint64) (head, size int, err error) {
	var length uint64
	switch kind {
	case 0:
		_, head = binary.Uvarint(rest)
	case 1:
		length = 8
	case 2:
		length, head = binary.Uvarint(rest)
	case 5:
		length = 4
	default:
		return 0, 0, errWire
	}
	if head < 0 || head == 0 && (kind == 0 || kind == 2) || length > uint64(len(rest)-head) {
		return 0, 0, errWire
	}
	return head, int(length), nil
}

// put writes a varint of sizeRoom bytes; maxObject fits in.
func put(dst []byte, size int) {
	for i := range dst {
		dst[i] = byte(size>>(7*i)) & 0x7f
		if i < len(dst)-1 {
			dst[i] |= 0x80
		}
	}
}

// WithoutManagers leaves out who manages which field.
func WithoutManagers() *shape { return Without(17) }

// PodShape leaves of a pod what scheduling, eviction and budgets look at (the
// numbers are those of k8s.io/api/core/v1/generated.proto).
func PodShape() *shape {
	privileged := Without(1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) // all but that, of a security context
	container := Without(2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 19, 20, 21, 22).Within(15, privileged)
	volume := Without().Within(2, Without(6, 16, 19, 26, 28)) // what is made from the API again
	spec := Without(6, 8, 9, 14, 15, 23, 26, 34).Within(1, volume).Within(2, container).Within(20, container)
	container = Without(3, 6, 7, 8, 10, 11, 12, 13, 14)
	status := Without(5, 6, 12, 13, 16).Within(8, container).Within(10, container)
	return Without().Within(1, WithoutManagers()).Within(2, spec).Within(3, status)
}

// NodeShape leaves out what the kubelet tells of a node besides its conditions
// and what it has to give.
func NodeShape() *shape {
	return Without().Within(1, WithoutManagers()).Within(3, Without(1, 5, 6, 7, 8, 9, 10, 11, 12, 13))
}

// WorkloadShape leaves out the pod template, of a Deployment as of a
// StatefulSet or a ReplicaSet.
func WorkloadShape() *shape {
	return Without().Within(1, WithoutManagers()).Within(2, Without(3))
}
