// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestAnAnswerIsPackedAndUnpacked(t *testing.T) {
	for _, answer := range []string{"", "{}", strings.Repeat(`{"kind":"chain","name":"KUBE-SEP-ABC"}`, 100_000)} {
		packed, err := wire.Pack([]byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		if len(answer) > 1000 && len(packed) > 900<<10 {
			t.Errorf("%d bytes are packed to %d, more than a Secret holds", len(answer), len(packed))
		}
		got, err := wire.Unpack(packed)
		if err != nil || string(got) != answer {
			t.Errorf("got %d bytes back of %d, %v", len(got), len(answer), err)
		}
	}
}

func TestWhatIsNoAnswerIsNotUnpacked(t *testing.T) {
	bomb, err := wire.Pack(make([]byte, 65<<20))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := wire.Pack(bytes.Repeat([]byte("an answer "), 1000))
	if err != nil {
		t.Fatal(err)
	}
	for name, packed := range map[string][]byte{"nothing": nil, "text": []byte("{}"), "half of one": whole[:len(whole)/2], "too much": bomb} {
		if got, err := wire.Unpack(packed); err == nil {
			t.Errorf("%s: unpacked to %d bytes", name, len(got))
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, answer := range []string{"", "{}", strings.Repeat("x", 1<<16)} {
		packed, err := wire.Pack([]byte(answer))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
		f.Add(packed[:len(packed)/2])
		f.Add(append(bytes.Clone(packed), packed...))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		out, err := wire.Unpack(packed)
		if len(out) > 64<<20 || err != nil && out != nil {
			t.Errorf("%d bytes became %d, %v", len(packed), len(out), err)
		}
		again, packErr := wire.Pack(out)
		if err != nil || packErr != nil {
			return
		}
		if same, err := wire.Unpack(again); err != nil || !bytes.Equal(same, out) {
			t.Errorf("%d bytes came back as %d, %v", len(out), len(same), err)
		}
	})
}
