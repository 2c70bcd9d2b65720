// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"encoding/binary"
	"errors"
)

// mostField is the highest number that protobuf gives a field.
const mostField = 1<<29 - 1

var errWire = errors.New("malformed protobuf message")

// message is a protobuf message under construction.
type message []byte

// about is a request about one thing: its id is the first field of them all.
func about(id string) message {
	m := binary.AppendUvarint(nil, 1<<3|2)
	m = binary.AppendUvarint(m, uint64(len(id)))
	return append(m, id...)
}

// number appends a non-negative integer field; zero is left out.
func (m message) number(field int, n uint64) message {
	if n == 0 {
		return m
	}
	m = binary.AppendUvarint(m, uint64(field)<<3)
	return binary.AppendUvarint(m, n)
}

// fields calls each with every field of a message: bytes for strings and
// messages, number for integers.
func fields(msg []byte, each func(field int, bytes []byte, number uint64) error) error {
	for len(msg) > 0 {
		key, n := binary.Uvarint(msg)
		if n <= 0 {
			return errWire
		}
		if key>>3 == 0 || key>>3 > mostField {
			return errWire
		}
		msg = msg[n:]
		var bytes []byte
		var number uint64
		switch key & 7 {
		case 0:
			if number, n = binary.Uvarint(msg); n <= 0 {
				return errWire
			}
		case 1:
			n = 8
		case 2:
			size, head := binary.Uvarint(msg)
			if head <= 0 || size > uint64(len(msg)-head) {
				return errWire
			}
			bytes, n = msg[head:head+int(size)], head+int(size)
		case 5:
			n = 4
		default:
			return errWire
		}
		if n > len(msg) {
			return errWire
		}
		msg = msg[n:]
		if err := each(int(key>>3), bytes, number); err != nil {
			return err
		}
	}
	return nil
}

// pair reads one entry of a map<string, string>.
func pair(msg []byte) (key, value string, err error) {
	err = fields(msg, func(field int, b []byte, _ uint64) error {
		switch field {
		case 1:
			key = string(b)
		case 2:
			value = string(b)
		}
		return nil
	})
	return key, value, err
}

// find calls found with every field at a path of field numbers.
func find(msg []byte, path []int, found func(bytes []byte, number uint64) error) error {
	return fields(msg, func(field int, b []byte, n uint64) error {
		switch {
		case field != path[0]:
			return nil
		case len(path) == 1:
			return found(b, n)
		}
		return find(b, path[1:], found)
	})
}
