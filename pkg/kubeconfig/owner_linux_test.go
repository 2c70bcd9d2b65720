// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// With sudo and a person's own home, kubectl must still be able to read the file without.
func TestAFileOfAPersonsStaysThatPersons(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for name, there := range map[string]bool{"a file that was there": true, "a file in the person's directory": false} {
		home := filepath.Join(t.TempDir(), "home")
		path := filepath.Join(home, "config")
		if err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, 1234, 1235)); err != nil {
			t.Fatal(err)
		}
		if there {
			if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 1234, 1235)); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := Add(f.Config, f.Config, "prod", parsed(t, "one"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(out, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(home)
		if err != nil || len(entries) == 0 {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if owner, is := info.Sys().(*syscall.Stat_t); !is || owner.Uid != 1234 || owner.Gid != 1235 {
				t.Errorf("%s: %s is of %+v", name, e.Name(), owner)
			}
		}
	}
}
