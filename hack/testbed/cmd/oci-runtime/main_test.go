// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestFlagValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--root", "/r", "create", "--bundle", "/b", "id"}, "/b"},
		{[]string{"create", "--bundle=/b", "id"}, "/b"},
		{[]string{"create", "-b", "/b", "id"}, "/b"},
		{[]string{"state", "id"}, ""},
		{[]string{"create", "--bundle"}, ""},
	}
	for _, tt := range tests {
		if got := flagValue(tt.args, "--bundle", "-b"); got != tt.want {
			t.Errorf("flagValue(%v) = %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, key, want string }{
		{
			"bundle",
			`{"process":{"capabilities":{"bounding":["CAP_KILL","CAP_SYS_RESOURCE"]},"limit":18446744073709551615}}`,
			"process",
			`{"process":{"capabilities":{"bounding":["CAP_KILL"]},"limit":18446744073709551615}}`,
		},
		{"process file", `{"capabilities":{"effective":["CAP_SYS_RESOURCE"]}}`, "", `{"capabilities":{"effective":[]}}`},
		{"no capabilities", `{"process":{"args":["sh"]}}`, "process", `{"process":{"args":["sh"]}}`},
		{"no process", `{"root":{}}`, "process", `{"root":{}}`},
	}
	for _, tt := range tests {
		got, err := strip([]byte(tt.in), tt.key)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: strip = %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
	if _, err := strip([]byte("{"), "process"); err == nil {
		t.Error("broken JSON is not an error")
	}
}
