// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"net/netip"
	"slices"
	"strings"
)

// Span are the addresses from one to another that a rule names.
type Span struct{ From, To netip.Addr }

// Of is a network as a span.
func Of(network netip.Prefix) Span {
	last := network.Masked().Addr().AsSlice()
	for bit := network.Bits(); bit >= 0 && bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	to, _ := netip.AddrFromSlice(last)
	return Span{From: network.Masked().Addr(), To: to}
}

// Within reports whether all of it is in a network.
func (s Span) Within(network netip.Prefix) bool {
	return network.Contains(s.From) && network.Contains(s.To)
}

// String is an address, a network, or "from-to".
func (s Span) String() string {
	if s.From == s.To {
		return s.From.String()
	}
	for bits := range s.From.BitLen() {
		if network := netip.PrefixFrom(s.From, bits); Of(network) == s {
			return network.String()
		}
	}
	return s.From.String() + "-" + s.To.String()
}

// mostSpans bounds what is read of one rule; iptables knows none that has as many.
const mostSpans = 64

// Spans are the addresses that a rule compares with or translates to, in a table of
// some family. What a set holds is not among them. It reports whether the rule names
// more than are read.
func (r Rule) Spans(family string) (spans []Span, more bool) {
	spans, _, more = r.Named(family)
	return spans, more
}

// Named are the addresses of Spans, and the network links that a rule compares with: "cni0",
// or "cali+" for all that begin so.
func (r Rule) Named(family string) (spans []Span, links []string, more bool) {
	out, links := spansOfText(r.Text), linksOfText(r.Text)
	if len(r.Raw) > 0 {
		d := decoder{family: family}
		_ = eachExpression(r.Raw, d.expression) // it was understood when it was read
		out, links = append(out, d.spans...), append(links, d.links...)
	}
	return out[:min(len(out), mostSpans)], links[:min(len(links), mostSpans)], len(out) > mostSpans
}

// linksOfText reads the links from a rule as iptables-save prints it.
func linksOfText(line string) (links []string) {
	words := Words(line)
	flags := []string{"-i", "--in-interface", "-o", "--out-interface", "--physdev-in", "--physdev-out"}
	for i := 1; i < len(words) && len(links) < mostSpans; i++ {
		comment := i > 1 && slices.Contains([]string{"--comment", "--log-prefix", "--nflog-prefix", "--string"}, words[i-2])
		if slices.Contains(flags, words[i-1]) && !comment {
			links = append(links, words[i])
		}
	}
	return links
}

// spansOfText reads them from a rule as iptables-save prints it; a comment is no match.
// It stops once there are too many.
func spansOfText(line string) []Span {
	var out []Span
	words := Words(line)
	for i, word := range words {
		if i > 0 && slices.Contains([]string{"--comment", "--log-prefix", "--nflog-prefix", "--string", "--hex-string"}, words[i-1]) {
			continue
		}
		for _, one := range strings.Split(word, ",") {
			if s, is := parseSpan(one); is {
				out = append(out, s)
			}
			if len(out) > mostSpans {
				return out
			}
		}
	}
	return out
}

// parseSpan reads "10.0.0.0/8", also with a mask in dots, "10.0.0.1", "10.0.0.1-10.0.0.9",
// and these with ports, as targets have them: "10.0.0.1:80-90", "[fd00::1]:80".
func parseSpan(text string) (Span, bool) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return Of(network), true
	}
	if at, mask, is := strings.Cut(text, "/"); is {
		ip, err1 := netip.ParseAddr(at)
		dots, err2 := netip.ParseAddr(mask)
		if err1 != nil || err2 != nil || ip.BitLen() != dots.BitLen() {
			return Span{}, false
		}
		return masked(ip, dots.AsSlice())
	}
	if inner, _, is := strings.Cut(text, "]"); is && text[0] == '[' {
		text = inner[1:]
	} else if at, _, is := strings.Cut(text, ":"); is && strings.Contains(at, ".") {
		text = at
	}
	first, last, is := strings.Cut(text, "-")
	from, err := netip.ParseAddr(first)
	if err != nil || from.Zone() != "" {
		return Span{}, false
	}
	if !is {
		return Span{from, from}, true
	}
	to, err := netip.ParseAddr(last)
	return Span{from, to}, err == nil && to.BitLen() == from.BitLen()
}

// masked is the network of an address and a mask; it reports false for a mask that is
// none of a network's.
func masked(ip netip.Addr, mask []byte) (Span, bool) {
	bits, ended := 0, false
	for _, b := range mask {
		for bit := range 8 {
			set := b&(0x80>>bit) != 0
			if set && ended {
				return Span{}, false
			}
			if ended = !set; set {
				bits++
			}
		}
	}
	network, err := ip.Prefix(bits)
	return Of(network), err == nil
}
