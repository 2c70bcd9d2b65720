// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"crypto/sha1" //nolint:gosec // the fingerprint of an OpenPGP key of version 4 is one (RFC 9580, 5.5.4.2)
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// MostOfKey bounds a file of keys.
const MostOfKey = 1 << 20

// Key is one that signs a repository.
type Key struct {
	Fingerprint string
	// Ends is when it expires; zero if never. It is what the key says of itself, unverified.
	Ends time.Time
	made time.Time
}

// Keys are all that a file holds.
type Keys struct {
	All []Key
	// Armored is the file written again: these keys, and nothing else that was in it.
	Armored string
}

// ReadKeys reads a file of OpenPGP public keys, armored or not. What is no public key, as
// the page of a captive portal, is an error.
func ReadKeys(raw []byte) (keys Keys, err error) {
	if len(raw) > MostOfKey {
		return keys, errors.New("it is too large for a key")
	}
	plain, err := dearmored(raw)
	if err != nil {
		return keys, err
	}
	packets, err := split(plain)
	if err != nil {
		return keys, err
	}
	if keys.All, err = readAll(packets); err != nil {
		return Keys{}, err
	}
	keys.Armored = armored(plain)
	return keys, nil
}

// readAll reads keys, and what each says of itself.
func readAll(packets []packet) (all []Key, err error) {
	var newest uint32
	sub := false
	for _, p := range packets {
		switch {
		case p.tag == tagKey:
			key, err := readKey(p.body)
			if err != nil {
				return nil, err
			}
			all, newest, sub = append(all, key), 0, false
		case len(all) == 0 || p.tag == tagSecret || p.tag == tagSecretSub:
			return nil, errors.New("it is no public key")
		case p.tag == tagSub:
			sub = true
		case p.tag == tagSignature && !sub:
			last := &all[len(all)-1]
			if s, is := selfSignature(p.body, last.Fingerprint); is && s.made >= newest {
				newest, last.Ends = s.made, last.ends(s)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no key")
	}
	return all, nil
}

// The kinds of packets (RFC 9580, 5).
const (
	tagSignature = 2
	tagSecret    = 5
	tagKey       = 6
	tagSecretSub = 7
	tagSub       = 14
)

// packet is one part of a key.
type packet struct {
	tag  byte
	body []byte
}

// split takes packets apart. A key's packets have a known length.
func split(raw []byte) (all []packet, err error) {
	for len(raw) > 0 {
		head := raw[0]
		if head&0x80 == 0 {
			return nil, errors.New("it is no OpenPGP key")
		}
		tag, size, rest, known := (head>>2)&0x0f, 0, raw[1:], false
		if head&0x40 != 0 {
			tag = head & 0x3f
			size, rest, known = length(rest)
		} else if octets := 1 << (head & 3); octets <= 4 && len(rest) >= octets {
			for _, b := range rest[:octets] {
				size = size<<8 | int(b)
			}
			rest, known = rest[octets:], true
		}
		if !known || size > len(rest) {
			return nil, errors.New("it is cut off, or no OpenPGP key")
		}
		all, raw = append(all, packet{tag, rest[:size]}), rest[size:]
	}
	return all, nil
}

// length reads a length in the new form, which is also that of a signature's parts.
func length(raw []byte) (size int, rest []byte, known bool) {
	switch {
	case len(raw) >= 1 && raw[0] < 192:
		return int(raw[0]), raw[1:], true
	case len(raw) >= 2 && raw[0] < 224:
		return (int(raw[0])-192)<<8 + int(raw[1]) + 192, raw[2:], true
	case len(raw) >= 5 && raw[0] == 255:
		return int(binary.BigEndian.Uint32(raw[1:])), raw[5:], true
	}
	return 0, nil, false
}

// readKey reads a key of version 4, which all tools of repositories use.
func readKey(body []byte) (Key, error) {
	if len(body) < 6 || len(body) > 0xffff || body[0] != 4 {
		return Key{}, errors.New("its key is of a version that is not known")
	}
	sum := sha1.New() //nolint:gosec // see the import
	sum.Write([]byte{0x99, byte(len(body) >> 8), byte(len(body))})
	sum.Write(body)
	return Key{Fingerprint: fmt.Sprintf("%X", sum.Sum(nil)), made: time.Unix(int64(binary.BigEndian.Uint32(body[1:])), 0).UTC()}, nil
}

// ends is when a key expires by a signature of its own.
func (k Key) ends(s signature) time.Time {
	if s.lasts == 0 {
		return time.Time{}
	}
	return k.made.Add(time.Duration(s.lasts) * time.Second)
}

// signature is what a key says of itself: when, and for how many seconds it lives, of which
// zero is for ever.
type signature struct{ made, lasts uint32 }

// selfSignature reads a signature by which a key says something of itself, and not another
// key of it.
func selfSignature(body []byte, fingerprint string) (s signature, is bool) {
	if len(body) < 6 || body[0] != 4 || body[1] < 0x10 || body[1] > 0x13 && body[1] != 0x1f {
		return s, false
	}
	hashed, rest, ok := area(body[4:])
	if !ok {
		return s, false
	}
	open, _, _ := area(rest)
	for _, part := range append(parts(hashed), parts(open)...) {
		switch value := part.body; {
		case part.tag == 2 && len(value) == 4:
			s.made = binary.BigEndian.Uint32(value)
		case part.tag == 9 && len(value) == 4:
			s.lasts = binary.BigEndian.Uint32(value)
		case part.tag == 16 && len(value) == 8 && fmt.Sprintf("%X", value) != fingerprint[len(fingerprint)-16:]:
			return s, false
		}
	}
	return s, true
}

// area is a part of a signature with its length in two bytes before it.
func area(raw []byte) (inner, rest []byte, ok bool) {
	if len(raw) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(raw))
	if size > len(raw)-2 {
		return nil, nil, false
	}
	return raw[2 : 2+size], raw[2+size:], true
}

// parts are those of an area of a signature, up to the first that is damaged.
func parts(raw []byte) (all []packet) {
	for len(raw) > 0 {
		size, rest, known := length(raw)
		if !known || size == 0 || size > len(rest) {
			return all
		}
		all, raw = append(all, packet{rest[0] & 0x7f, rest[1:size]}), rest[size:]
	}
	return all
}
