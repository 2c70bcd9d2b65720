// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestFromEnv(t *testing.T) {
	t.Parallel()
	recorded := t.TempDir()
	state := filepath.Join(recorded, "testbed", "old")
	if err := os.MkdirAll(state, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "version"), []byte("v1.35.4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name           string
		env            map[string]string
		cache, version string
		ok             bool
	}{
		{"defaults", map[string]string{"HOME": "/h"}, "/h/.cache/kubectl-lifecycle", "v1.36.3", true},
		{"xdg", map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/kubectl-lifecycle", "v1.36.3", true},
		{"own cache", map[string]string{"TESTBED_CACHE": "/c", "KUBERNETES_VERSION": "v1.35.4"}, "/c", "v1.35.4", true},
		{"recorded version", map[string]string{"TESTBED_CACHE": recorded, "TESTBED_NAME": "old"}, recorded, "v1.35.4", true},
		{"asked version wins", map[string]string{"TESTBED_CACHE": recorded, "TESTBED_NAME": "old", "KUBERNETES_VERSION": "v1.36.3"}, recorded,
			"v1.36.3", true},
		{"no home", nil, "", "", false},
		{"relative cache", map[string]string{"TESTBED_CACHE": "c"}, "", "", false},
		{"bad name", map[string]string{"HOME": "/h", "TESTBED_NAME": "Bad_Name"}, "", "", false},
		{"bad version", map[string]string{"HOME": "/h", "KUBERNETES_VERSION": "1.36"}, "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := FromEnv(func(key string) string { return tt.env[key] }, "/src")
			if (err == nil) != tt.ok {
				t.Fatalf("err = %v, want ok %v", err, tt.ok)
			}
			if tt.ok && (c.Cache != tt.cache || c.Version != tt.version) {
				t.Errorf("cache %q, version %q; want %q, %q", c.Cache, c.Version, tt.cache, tt.version)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"lifecycle": true, "a": true, "bed-2": true,
		"": false, "-a": false, "a-": false, "a.b": false, "A": false, "a b": false, "--rm": false,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestWriteEnv(t *testing.T) {
	t.Parallel()
	env := map[string]string{"B": "/a b/it's", "A": "/plain-1.2_x"}
	tests := []struct {
		format, want string
		ok           bool
	}{
		{"sh", "export A=/plain-1.2_x\nexport B='/a b/it'\\''s'\n", true},
		{"json", "{\n  \"A\": \"/plain-1.2_x\",\n  \"B\": \"/a b/it's\"\n}\n", true},
		{"yaml", "", false},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		err := WriteEnv(&out, env, tt.format)
		if (err == nil) != tt.ok || out.String() != tt.want {
			t.Errorf("WriteEnv(%s) = %q, %v; want %q", tt.format, out.String(), err, tt.want)
		}
	}
}

func TestPinnedVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"require (\n\texample.com/m v0.28.4 // indirect\n)\n": "v0.28.4",
		"require example.com/m v1.0.0\n":                      "v1.0.0",
		"tool example.com/m\n":                                "unknown",
		"require example.com/m/v2 v2.0.0\n":                   "unknown",
	}
	for gomod, want := range tests {
		if got := pinnedVersion(gomod, "example.com/m"); got != want {
			t.Errorf("pinnedVersion(%q) = %q, want %q", gomod, got, want)
		}
	}
}
