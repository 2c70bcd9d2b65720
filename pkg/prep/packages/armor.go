// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	armorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
)

// dearmored is a file of keys in its plain form; blocks in it are joined.
func dearmored(raw []byte) ([]byte, error) {
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		return raw, nil
	}
	var all []byte
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	for {
		_, after, begins := strings.Cut(text, armorBegin+"\n")
		if !begins {
			break
		}
		block, rest, ends := strings.Cut(after, armorEnd)
		if !ends {
			return nil, errors.New("it is cut off")
		}
		_, body, blank := strings.Cut("\n"+block, "\n\n") // after its headers
		if !blank {
			return nil, errors.New("it is damaged")
		}
		var letters strings.Builder
		for line := range strings.SplitSeq(body, "\n") {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "=") {
				letters.WriteString(line)
			}
		}
		plain, err := base64.StdEncoding.DecodeString(letters.String())
		if err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		all, text = append(all, plain...), rest
	}
	if len(all) == 0 {
		return nil, errors.New("it is no OpenPGP key")
	}
	return all, nil
}

// armored is the form that apt and rpm read, in one block: apt reads no second one.
func armored(plain []byte) string {
	var b strings.Builder
	b.WriteString(armorBegin + "\n\n")
	for letters := base64.StdEncoding.EncodeToString(plain); letters != ""; {
		line := letters[:min(64, len(letters))]
		b.WriteString(line + "\n")
		letters = letters[len(line):]
	}
	sum := checksum(plain)
	b.WriteString("=" + base64.StdEncoding.EncodeToString([]byte{byte(sum >> 16), byte(sum >> 8), byte(sum)}) + "\n" + armorEnd + "\n")
	return b.String()
}

// checksum is the CRC-24 of an armor, which rpm insists on (RFC 4880, 6.1).
func checksum(raw []byte) uint32 {
	crc := uint32(0xb704ce)
	for _, b := range raw {
		crc ^= uint32(b) << 16
		for range 8 {
			if crc <<= 1; crc&0x1000000 != 0 {
				crc ^= 0x1864cfb
			}
		}
	}
	return crc & 0xffffff
}
