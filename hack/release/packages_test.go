// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The package of each format holds the plugin, and the link by which kubectl asks what
// can be completed. The distribution's own program reads it, where it is here.
func TestAPackageBringsCompletion(t *testing.T) {
	r := release{source: "../..", out: t.TempDir(), version: "v0.1.0-rc.1"}
	if err := r.identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "built")
	if err := os.WriteFile(built, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := platform{"linux", "arm64"}
	for format, magic := range map[string]string{"deb": "!<arch>\n", "rpm": "\xed\xab\xee\xdb"} {
		if err := r.writePackage(p, built, format); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(r.out, nameOf(p, "."+format))
		first := contents(t, path)
		if !bytes.HasPrefix(first, []byte(magic)) {
			t.Errorf("%s begins with %q", path, first[:8])
		}
		if err := r.writePackage(p, built, format); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(contents(t, path), first) {
			t.Errorf("another %s comes out the second time", format)
		}
	}
	reads(t, []string{"dpkg-deb", "--info", filepath.Join(r.out, nameOf(p, ".deb"))},
		"Version: 0.1.0~rc.1", "Architecture: arm64", "Suggests: kubectl")
	reads(t, []string{"dpkg-deb", "--contents", filepath.Join(r.out, nameOf(p, ".deb"))},
		"-rwxr-xr-x root/root", "/usr/bin/kubectl-lifecycle\n",
		"/usr/bin/kubectl_complete-lifecycle -> kubectl-lifecycle\n", "/usr/share/doc/kubectl-lifecycle/copyright\n")
	reads(t, []string{"rpm", "-qp", "--queryformat", "%{VERSION} %{ARCH} %{BUILDHOST} [%{FILENAMES} ]",
		filepath.Join(r.out, nameOf(p, ".rpm"))},
		"0.1.0~rc.1 aarch64 localhost", "/usr/bin/kubectl_complete-lifecycle")
}

// reads runs a program, where it is here, and looks for words in what it says.
func reads(t *testing.T, command []string, words ...string) {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Logf("not read: %v", err)
		return
	}
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	for _, word := range words {
		if !strings.Contains(string(out), word) {
			t.Errorf("%s says nothing of %q:\n%s", command, word, out)
		}
	}
}

// The tests of the plugin compile for systems on which they cannot run here.
func TestOtherSystemsCompileTheTestsOfThePlugin(t *testing.T) {
	if os.Getenv("RELEASE_PLATFORMS") != "all" {
		t.Skip("it takes minutes: RELEASE_PLATFORMS=all")
	}
	for _, system := range []string{"GOOS=windows GOARCH=amd64", "GOOS=darwin GOARCH=arm64"} {
		cmd := exec.CommandContext(t.Context(), "go", "vet", "./cmd/kubectl-lifecycle/...")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), strings.Fields(system)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", system, err, out)
		}
	}
}
