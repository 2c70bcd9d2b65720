// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bytes"
	"encoding/binary"
	"errors"
)

var errTruncated = errors.New("truncated netlink message")

const (
	attrNested  = 1 << 15
	attrNetwork = 1 << 14
)

// attr appends one netlink attribute, padded to four bytes.
func attr(buf []byte, kind uint16, value []byte) []byte {
	buf = binary.NativeEndian.AppendUint16(buf, uint16(4+len(value)))
	buf = binary.NativeEndian.AppendUint16(buf, kind)
	buf = append(buf, value...)
	for len(buf)%4 != 0 {
		buf = append(buf, 0)
	}
	return buf
}

// attrText appends a zero-terminated string.
func attrText(buf []byte, kind uint16, value string) []byte {
	return attr(buf, kind, append([]byte(value), 0))
}

// attrs calls each with every attribute, its flags taken off the kind.
func attrs(buf []byte, each func(kind uint16, value []byte) error) error {
	for len(buf) >= 4 {
		size := int(binary.NativeEndian.Uint16(buf))
		if size < 4 || size > len(buf) {
			return errTruncated
		}
		kind := binary.NativeEndian.Uint16(buf[2:]) &^ (attrNested | attrNetwork)
		if err := each(kind, buf[4:size]); err != nil {
			return err
		}
		buf = buf[min((size+3)&^3, len(buf)):]
	}
	return nil
}

// text reads a zero-terminated string.
func text(b []byte) string { return string(bare(b)) }

// bare is a string without its zero.
func bare(b []byte) []byte {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		return b[:end]
	}
	return b
}

// eachExpression calls do with the name and the attributes of each expression of
// a rule, in order.
func eachExpression(list []byte, do func(name, data []byte) error) error {
	const ofName, ofData = 1, 2 // NFTA_EXPR_NAME, NFTA_EXPR_DATA
	return attrs(list, func(_ uint16, one []byte) error {
		var name, data []byte
		err := attrs(one, func(kind uint16, v []byte) error {
			switch kind {
			case ofName:
				name = bare(v)
			case ofData:
				data = v
			}
			return nil
		})
		if err != nil {
			return err
		}
		return do(name, data)
	})
}
