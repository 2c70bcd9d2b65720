// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// within goes through the texts that a text has in another writing: escaped as in a string of
// YAML or JSON, or in an address; in base64, base32 or hexadecimal; compressed; in UTF-16. Each
// may have others in it. Nil stands for what is not read.
func within(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, all := range []iter.Seq[[]byte]{rewritten(text), encoded(text), inflated(text)} {
			for inner := range all {
				if !yield(inner) {
					return
				}
			}
		}
	}
}

// rewritten is a text without the escapes of YAML, JSON and addresses, and without zeros, as
// far as there are any.
func rewritten(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		words := readable(text)
		if plain := unescaped(text); words && !bytes.Equal(plain, text) && !yield(plain) {
			return
		}
		percent := regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
		if words && percent.Match(text) && !yield(percent.ReplaceAllFunc(text, func(e []byte) []byte {
			return []byte{byte(number(e[1:], 16))}
		})) {
			return
		}
		if zeros := bytes.Count(text, []byte{0}); zeros*3 >= len(text) { // of UTF-16 they are half, of UTF-32 three quarters
			if plain := bytes.ReplaceAll(text, []byte{0}, nil); readable(plain) {
				yield(plain)
			}
		}
	}
}

// number reads digits; they were found to be some.
func number(digits []byte, base int) uint64 {
	n, _ := strconv.ParseUint(string(digits), base, 32)
	return n
}

// unescaped is a text without the escapes of a string in double quotes (YAML 1.2.2, 5.7; JSON)
// and without those of three octal digits, which shells know.
func unescaped(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	octal, long := regexp.MustCompile(`^[0-3][0-7]{2}`), regexp.MustCompile(`^(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})`)
	joined, short := regexp.MustCompile(`^\r?\n[ \t]*`), map[byte]string{
		'n': "\n", 't': "\t", 'r': "\r", '0': "\x00", 'a': "\a", 'b': "\b", 'e': "\x1b", 'v': "\v", 'f': "\f", ' ': " ", '\t': "\t",
		'/': "/", '"': `"`, '\'': "'", '\\': `\`, 'N': "\n", '_': " ", 'L': "\n", 'P': "\n",
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		at := bytes.IndexByte(text, '\\')
		if at < 0 || at+1 == len(text) {
			break
		}
		out = append(out, text[:at]...)
		text = text[at+1:]
		length := 1
		if whole := joined.Find(text); whole != nil {
			length = len(whole)
		} else if digits := octal.Find(text); digits != nil {
			out, length = append(out, byte(number(digits, 8))), len(digits)
		} else if digits := long.Find(text); digits != nil {
			out, length = utf8.AppendRune(out, rune(number(digits[1:], 16))), len(digits)
		} else if plain, is := short[text[0]]; is {
			out = append(out, plain...)
		} else {
			out = append(out, '\\', text[0])
		}
		text = text[length:]
	}
	return append(out, text...)
}

// encoded goes through what a text has in base64, of either alphabet, in base32 and in
// hexadecimal. It may be folded into lines, and what is before it may look like a part of it:
// so it is read from every place where it may begin.
func encoded(text []byte) iter.Seq[[]byte] {
	folded := bytes.Join(bytes.Fields(text), nil)
	plain := strings.NewReplacer("-", "+", "_", "/")
	base64s := func(run string) ([]byte, error) {
		if run = plain.Replace(run); len(run)%4 == 1 { // a character of what follows
			run = run[:len(run)-1]
		}
		return base64.RawStdEncoding.DecodeString(run)
	}
	hexes := func(run string) ([]byte, error) { return hex.DecodeString(run[:len(run)/2*2]) }
	base32s := func(run string) ([]byte, error) {
		return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(run[:len(run)/8*8]))
	}
	between := func(b, from, to byte) bool { return b >= from && b <= to }
	letter := func(b byte) bool { return between(b|0x20, 'a', 'z') }
	return func(yield func([]byte) bool) {
		for _, form := range []struct {
			in            func(b byte) bool
			least, places int
			decode        func(string) ([]byte, error)
		}{
			{func(b byte) bool {
				return letter(b) || between(b, '0', '9') || b == '+' || b == '/' || b == '-' || b == '_'
			}, 24, 4, base64s},
			{func(b byte) bool { return between(b|0x20, 'a', 'f') || between(b, '0', '9') }, 36, 2, hexes},
			{func(b byte) bool { return letter(b) || between(b, '2', '7') }, 40, 8, base32s},
		} {
			for found := range runs(folded, form.in, form.least) {
				for at := range form.places {
					if out, err := form.decode(string(found[at:])); err == nil && !yield(out) {
						return
					}
				}
			}
		}
	}
}

// runs goes through the longest pieces of a text that have nothing but some bytes in them.
func runs(text []byte, in func(b byte) bool, least int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for begin := 0; begin < len(text); begin++ {
			end := begin
			for end < len(text) && in(text[end]) {
				end++
			}
			if end-begin >= least && !yield(text[begin:end]) {
				return
			}
			begin = end
		}
	}
}

// mostInflated bounds what is read of something compressed, mostPacked how many places are
// tried at which it may begin.
const (
	mostInflated = 2 << 20
	mostPacked   = 16
)

// inflated goes through what is compressed in a text, wherever it begins. Nil says that there
// is more of it than is read.
func inflated(text []byte) iter.Seq[[]byte] {
	open := map[string]func(io.Reader) (io.Reader, error){
		"\x1f\x8b\x08": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"BZh":          func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil },
	}
	for _, level := range []string{"\x78\x01", "\x78\x5e", "\x78\x9c", "\x78\xda"} {
		open[level] = func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }
	}
	return func(yield func([]byte) bool) {
		for mark, reader := range open {
			rest := text
			for range mostPacked {
				at := bytes.Index(rest, []byte(mark))
				if at < 0 {
					break
				}
				in, err := reader(bytes.NewReader(rest[at:]))
				rest = rest[at+1:]
				if err != nil {
					continue
				}
				out, _ := io.ReadAll(io.LimitReader(in, mostInflated+1)) // what comes after it may be anything
				if len(out) > mostInflated && !yield(nil) || len(out) > 0 && !yield(out) {
					return
				}
			}
			if bytes.Contains(rest, []byte(mark)) && !yield(nil) {
				return
			}
		}
	}
}

// sealed reports whether there is something in a text that is not read: compressed or
// encrypted in a form that is only recognised, or more than is read of one that is.
func sealed(text []byte) bool {
	marks := []string{
		"\xfd7zXZ\x00", "\x28\xb5\x2f\xfd", "PK\x03\x04", "7z\xbc\xaf\x27\x1c", "\x04\x22\x4d\x18", "LZIP\x01", // xz, zstd, zip, 7z, lz4, lzip
		"Salted__", "age-encryption.org/", "BEGIN AGE ENCRYPTED", "BEGIN PGP MESSAGE", "$ANSIBLE_VAULT", "\xfe\xed\xfe\xed", "\xce\xce\xce\xce",
	}
	return slices.ContainsFunc(marks, func(mark string) bool { return bytes.Contains(text, []byte(mark)) })
}

// readable reports whether there may be words in something: what is decoded by chance has
// none.
func readable(text []byte) bool {
	const shortest = 12
	run := 0
	for _, b := range text {
		if run++; b < ' ' && b != '\n' && b != '\r' && b != '\t' || b > '~' {
			run = 0
		}
		if run == shortest {
			return true
		}
	}
	return len(text) > 0 && run == len(text)
}
