// SPDX-License-Identifier: Apache-2.0

package screentest

import "testing"

func TestATerminalShowsWhatItBreaksAndWhatItReplaces(t *testing.T) {
	const clear = "\r\x1b[K"
	for name, tc := range map[string]struct{ written, shown string }{
		"short lines":                      {"a\nb\n", "a\nb\n"},
		"a line that is too long":          {"0123456789ab\n", "0123456789⏎\nab\n"},
		"a line that fits":                 {"0123456789\n", "0123456789\n"},
		"a line that is replaced":          {"… x" + clear + "✓ x\n", "… x⟲\n✓ x\n"},
		"a picture, of which the last is":  {"h\na\nb\n" + clear + "\x1b[1A\x1b[K\x1b[1A\x1b[Kc\nd\n", "h\nc\nd\n"},
		"a picture that gives way to more": {"h\na\n" + clear + "\x1b[1A\x1b[K✓\n", "h\n✓\n"},
	} {
		if got := Broken(tc.written, 10); got != tc.shown {
			t.Errorf("%s: %q, want %q", name, got, tc.shown)
		}
	}
}
