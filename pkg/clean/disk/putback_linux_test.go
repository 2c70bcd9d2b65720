// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// A file gets its name back without taking that of another, also where the file system
// knows no such renaming.
func TestAFileGetsItsNameBackAndTakesNoOther(t *testing.T) {
	without := func(errno error) func(string, string) error { return func(string, string) error { return errno } }
	for name, rename := range map[string]func(from, to string) error{
		"the kernel renames": renameNew, "a file system that cannot": without(unix.EINVAL), "a kernel that cannot": without(unix.ENOSYS),
		"one of which the kernel says so": without(unix.EOPNOTSUPP),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			hosttest.Must(t, os.WriteFile(at("a.bak"), []byte("a"), 0o600))
			hosttest.Must(t, os.WriteFile(at("b.bak"), []byte("b"), 0o600))
			hosttest.Must(t, os.WriteFile(at("b"), []byte("other"), 0o600))
			if err := giveName(rename, at("a.bak"), at("a")); err != nil {
				t.Error(err)
			}
			if err := giveName(rename, at("b.bak"), at("b")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("a name that is taken: %v", err)
			}
			for file, want := range map[string]string{"a": "a", "b": "other", "b.bak": "b"} {
				if raw, err := os.ReadFile(at(file)); err != nil || string(raw) != want {
					t.Errorf("%s: %q, %v", file, raw, err)
				}
			}
			if _, err := os.Lstat(at("a.bak")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("its old name is still there: %v", err)
			}
			if err := giveName(rename, at("none"), at("c")); err != nil {
				t.Errorf("one that is gone: %v", err)
			}
		})
	}
	failed := errors.New("no")
	if err := giveName(without(failed), "/none/a", "/none/b"); !errors.Is(err, failed) {
		t.Errorf("an error is one: %v", err)
	}
}
