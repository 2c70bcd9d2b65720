// SPDX-License-Identifier: Apache-2.0

package build

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestKeyTellsPartsApart(t *testing.T) {
	t.Parallel()
	lists := [][]string{{}, {""}, {"a"}, {"a", ""}, {"ab"}, {"a", "b"}, {"b", "a"}, {"1:a,1:b"}}
	seen := map[string][]string{}
	for _, parts := range lists {
		key := Key(parts...)
		if len(key) != 12 {
			t.Errorf("Key(%q) = %q, want 12 digits", parts, key)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("Key(%q) = Key(%q)", parts, other)
		}
		seen[key] = parts
		if again := Key(parts...); again != key {
			t.Errorf("Key(%q) is not stable", parts)
		}
	}
}

func TestKeyOfSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func() string {
		t.Helper()
		key, err := KeyOfSources(dir)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if _, err := KeyOfSources(dir); err == nil {
		t.Error("a directory without sources is not an error")
	}
	write("a.go", "package a")
	first := key()
	write("a_test.go", "package a")
	write("notes.txt", "text")
	if key() != first {
		t.Error("a test or a text changes the key")
	}
	write("b.go", "package a")
	if key() == first {
		t.Error("a new source does not change the key")
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		version, staging string
		ok               bool
	}{
		{"v1.36.3", "v0.36.3", true},
		{"v1.35.4", "v0.35.4", true},
		{"v1.40.11", "v0.40.11", true},
		{"1.36.3", "", false},
		{"v1.36", "", false},
		{"v1.36.3-rc.1", "", false},
		{"v2.0.0", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if err := CheckVersion(tt.version); (err == nil) != tt.ok {
			t.Errorf("CheckVersion(%q) = %v, want ok %v", tt.version, err, tt.ok)
		}
		if tt.ok && stagingVersion(tt.version) != tt.staging {
			t.Errorf("stagingVersion(%q) = %q, want %q", tt.version, stagingVersion(tt.version), tt.staging)
		}
	}
}

func TestVersionStamps(t *testing.T) {
	t.Parallel()
	stamps := strings.Join(versionStamps("v1.35.4"), " ")
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=v1.35.4",
		"-X k8s.io/component-base/version.gitMinor=35",
		"-X k8s.io/client-go/pkg/version.gitVersion=v1.35.4",
	} {
		if !strings.Contains(stamps, want) {
			t.Errorf("stamps lack %q: %s", want, stamps)
		}
	}
}

const upstreamMod = `module k8s.io/kubernetes

go 1.25.6

require (
	github.com/spf13/cobra v1.10.0
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
	k8s.io/kubectl v0.0.0 // indirect
)

require k8s.io/apimachinery v0.0.0

replace (
	k8s.io/api => ./staging/src/k8s.io/api
)
`

func TestPinFile(t *testing.T) {
	t.Parallel()
	want := []string{"k8s.io/api", "k8s.io/kubectl", "k8s.io/apimachinery"}
	if got := stagingModules(upstreamMod); !slices.Equal(got, want) {
		t.Errorf("stagingModules = %v, want %v", got, want)
	}
	pins := pinFile("v1.35.4", upstreamMod)
	for _, line := range []string{
		"go 1.25.6\n",
		"require k8s.io/kubernetes v1.35.4\n",
		"\tk8s.io/api => k8s.io/api v0.35.4\n",
		"\tk8s.io/kubernetes/cmd/kubelet\n",
		"\tk8s.io/kubernetes/test/images/agnhost\n",
	} {
		if !strings.Contains(pins, line) {
			t.Errorf("pins lack %q:\n%s", line, pins)
		}
	}
	if strings.Contains(pins, "klog") || strings.Contains(pins, "./staging") {
		t.Errorf("pins have what they should not:\n%s", pins)
	}
}

func TestProgramName(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"k8s.io/kubernetes/cmd/kubelet":                           "kubelet",
		"go.etcd.io/etcd/server/v3":                               "server",
		"github.com/containerd/containerd/v2/cmd/ctr":             "ctr",
		"github.com/containernetworking/plugins/plugins/main/ptp": "ptp",
		"example.com/v8engine":                                    "v8engine",
	}
	for pkg, want := range tests {
		if got := programName(pkg); got != want {
			t.Errorf("programName(%q) = %q, want %q", pkg, got, want)
		}
	}
}

// TestPinsNameEveryPackage holds the list of products and the pinned modules
// together: go mod tidy keeps only what a tool line names.
func TestPinsNameEveryPackage(t *testing.T) {
	t.Parallel()
	products := append(NodeParts(), Kind(), Kwok(),
		Tools(DefaultKubernetes), Servers(DefaultKubernetes), Tools("v1.35.4"), Servers("v1.35.4"))
	for _, product := range products {
		raw, err := os.ReadFile(filepath.Join("..", "..", "modules", product.Module, "go.mod"))
		if err != nil {
			t.Errorf("product %s: %v", product.Name, err)
			continue
		}
		fields := strings.Fields(string(raw))
		for pkg := range maps.Values(product.Programs) {
			if !slices.Contains(fields, pkg) {
				t.Errorf("modules/%s/go.mod has no tool line for %s", product.Module, pkg)
			}
		}
	}
}
