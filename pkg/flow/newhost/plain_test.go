// SPDX-License-Identifier: Apache-2.0

//go:build unix

package newhost

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// TestNothingButRegularFilesIsSentToAHost: a link may lead to a person's secrets, a FIFO has no end.
func TestNothingButRegularFilesIsSentToAHost(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(secret, []byte("client-key-data: SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(path string) error { return os.Symlink(secret, path) }
	fifo := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	for name, c := range map[string]struct {
		file string
		make func(path string) error
	}{
		"a link to a secret":                {"zlib1g_1-1_all.deb", link},
		"a FIFO":                            {"a.deb", fifo},
		"a directory":                       {"a.deb", func(path string) error { return os.Mkdir(path, 0o700) }},
		"checksums behind a link":           {"SHA256SUMS", link},
		"checksums in a FIFO":               {"SHA256SUMS", fifo},
		"a link to a package of another":    {"b.rpm", func(path string) error { return os.Symlink("kubelet_1_all.deb", path) }},
		"a link that leads nowhere":         {"a.deb", func(path string) error { return os.Symlink("/nowhere", path) }},
		"a device that waits for its other": {"a.deb", func(path string) error { return os.Symlink("/dev/zero", path) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "kubelet_1_all.deb"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.make(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := ReadPackageDir(dir)
				ended <- err
			}()
			select {
			case err := <-ended:
				if plan.HintOf(err) == "" {
					t.Errorf("%v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it hangs")
			}
			if c.file == "SHA256SUMS" {
				return
			}
			d := PackageDir{Path: dir}
			if f, _, err := d.Open(c.file); err == nil {
				t.Errorf("a host that asks gets it: %v", f.Close())
			}
		})
	}
}
