// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

// FuzzAttributes feeds whatever the kernel might send to everything that reads
// attributes: nothing of it may reach beyond the message, or go on for ever.
func FuzzAttributes(f *testing.F) {
	comment := attr(nil, unix.NFTA_MATCH_NAME, []byte("comment\x00"))
	f.Add(attr(attrText(nil, 1, "filter"), 2, []byte{1, 2, 3}))
	f.Add(attr(nil, unix.NFTA_LIST_ELEM|attrNested, attr(attrText(nil, unix.NFTA_EXPR_NAME, "match"), unix.NFTA_EXPR_DATA,
		attr(comment, unix.NFTA_MATCH_INFO, []byte("hello\x00")))))
	f.Add([]byte{0, 5, 'h', 'e', 'l', 'l', 'o', 0, 255})
	f.Add([]byte{255, 255, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		total := 0
		err := attrs(raw, func(_ uint16, value []byte) error {
			total += 4 + len(value)
			return nil
		})
		if total > len(raw) {
			t.Errorf("%d bytes of attributes in a message of %d", total, len(raw))
		}
		if err != nil && !errors.Is(err, errTruncated) {
			t.Errorf("error %v", err)
		}
		var r Rule
		_ = r.expressions(raw)
		r.userdata(raw)
		said := 0
		for _, text := range append(r.Targets, r.Comments...) {
			said += len(text)
			if strings.Contains(text, "\x00") {
				t.Errorf("a text with a zero in it: %q", text)
			}
		}
		if said > len(raw) {
			t.Errorf("%d bytes of text in a message of %d", said, len(raw))
		}
	})
}

// FuzzMessages feeds what a socket might give: both readers agree on where it ends.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 3, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{16, 0, 0, 0, 2, 10, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		most := len(raw)/unix.SizeofNlMsghdr + 1
		seen := 0
		w := walker{each: func(h header, payload []byte) (bool, error) {
			if seen++; seen > most || len(payload) > len(raw) {
				t.Fatalf("%d messages in %d bytes", seen, len(raw))
			}
			return h.kind == unix.NLMSG_DONE, nil
		}}
		last, err := w.walk(raw)
		if (last || errors.Is(err, errTruncated)) && !ends(raw) {
			t.Error("one reader sees an end, the other goes on")
		}
	})
}

// FuzzParseSave feeds what iptables-save might print, and what Print has written:
// what is read can be printed and read again.
func FuzzParseSave(f *testing.F) {
	f.Add("*filter\n:INPUT ACCEPT [0:0]\n:KUBE-FIREWALL - [0:0]\n-A INPUT -m comment --comment \"a \\\"b\\\" c\" -j KUBE-FIREWALL\nCOMMIT\n")
	f.Add("*nat\n-A x\n:\n-A\nCOMMIT")
	f.Add("-A INPUT -j x")
	f.Add("*\n\n:x\n")
	f.Add("*filter\n:x -y [0:0]\n:a\\b DROP\n-A \"a\\\\b\" -j x\n")
	f.Fuzz(func(t *testing.T, save string) {
		for _, word := range Words(save) {
			if len(word) > len(save) {
				t.Errorf("a word of %d characters in a text of %d", len(word), len(save))
			}
		}
		tables, err := ParseSave("ip", save)
		if err != nil {
			return
		}
		rules := 0
		for _, table := range tables {
			rules += table.Rules()
		}
		if rules > strings.Count(save, "\n")+1 {
			t.Errorf("%d rules in %d lines", rules, strings.Count(save, "\n")+1)
		}
		var out bytes.Buffer
		to := bufio.NewWriter(&out)
		for _, table := range tables {
			table.Print(to)
		}
		_ = to.Flush()
		again, err := ReadTables(bufio.NewReader(bytes.NewReader(out.Bytes())))
		if diff := cmp.Diff(tables, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("printed and read again: %v\n%s\n%s", err, diff, out.String())
		}
	})
}

// FuzzReadTables feeds what is read back from the disk before rules are restored.
func FuzzReadTables(f *testing.F) {
	var out bytes.Buffer
	to := bufio.NewWriter(&out)
	Table{Backend: Nft, Family: "ip", Name: "nat", Chains: []Chain{{Name: "a\nb", Base: true, Type: "nat", Policy: "accept", Hook: []byte{1},
		Rules: []Rule{{Handle: 7, Raw: []byte{4, 0, 1, 0}, UserData: []byte{0, 1, 'x'}}}}}}.Print(to)
	_ = to.Flush()
	f.Add(out.Bytes())
	f.Add([]byte("table nft ip x\nchain \"y\" - - \nrule 1 65535 65535\n"))
	f.Add([]byte("table legacy ip x\nchain \"\"\n\n"))
	f.Add([]byte("table legacy ip x\nchain \"y\"\n-A y -j z\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tables, err := ReadTables(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		size := 0
		for _, table := range tables {
			for _, c := range table.Chains {
				size += len(c.Hook)
				for _, r := range c.Rules {
					size += len(r.Raw) + len(r.UserData)
				}
			}
		}
		if size > len(raw) {
			t.Errorf("%d bytes were read of %d", size, len(raw))
		}
	})
}
