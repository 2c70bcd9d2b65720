// SPDX-License-Identifier: Apache-2.0

package part

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What stays is compared with what it was, also a file that is too large to be read.
func TestAForeignFileOfAnySizeShowsThatItWasChanged(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "small": 100, "as large as is read": 1 << 20, "larger": 1<<20 + 1} {
		dir := t.TempDir()
		at := Host{Local: host.Local{Root: dir}}
		hosttest.Must(t, os.WriteFile(filepath.Join(dir, "f"), bytes.Repeat([]byte("x"), size), 0o600))
		was := at.Digest("/f")
		if was == "" || was == "unread" || at.Digest("/f") != was {
			t.Errorf("%s: %q, then %q", name, was, at.Digest("/f"))
		}
		hosttest.Must(t, os.WriteFile(filepath.Join(dir, "f"), append(bytes.Repeat([]byte("x"), max(size-1, 0)), 'y'), 0o600))
		hosttest.Must(t, os.Chtimes(filepath.Join(dir, "f"), time.Time{}, time.Now().Add(time.Hour)))
		if at.Digest("/f") == was {
			t.Errorf("%s: it was changed, and shows %q", name, was)
		}
	}
	dir := t.TempDir()
	at := Host{Local: host.Local{Root: dir}}
	hosttest.Must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	for path, want := range map[string]string{"/none": "", "/": "", "/loop": "", "/loop/below": "unread"} {
		if got := at.Digest(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
