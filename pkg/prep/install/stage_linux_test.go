// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// TestOnlyAStageThatIsLeftIsDeleted: a directory may have the name of one, and be a person's, or
// be in use by another program, or have a disk of a person's mounted in it.
func TestOnlyAStageThatIsLeftIsDeleted(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, root string) {
		local := host.Local{Root: root}
		put := func(path string) {
			hosttest.Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			hosttest.Must(t, os.WriteFile(path, []byte("x"), 0o600))
		}
		long := time.Now().Add(-2 * old)
		for name, c := range map[string]struct {
			prepare func(dir string)
			goes    bool
		}{
			"left by a run that was killed": {func(dir string) { put(dir + "/" + mark) }, true},
			"a person's":                    {func(string) {}, false},
			"marked by a link": {func(dir string) {
				hosttest.Must(t, os.Symlink("/etc/passwd", dir+"/"+mark))
			}, false},
			"marked by another user": {func(dir string) {
				put(dir + "/" + mark)
				hosttest.Must(t, os.Chown(dir+"/"+mark, 4711, 4711))
			}, false},
			"of another user": {func(dir string) {
				put(dir + "/" + mark)
				hosttest.Must(t, os.Chown(dir, 4711, 4711))
			}, false},
			"in use": {func(dir string) {
				put(dir + "/" + mark)
				f, err := os.Open(dir + "/" + mark)
				hosttest.Must(t, err)
				t.Cleanup(func() { _ = f.Close() })
				hosttest.Must(t, unix.Flock(int(f.Fd()), unix.LOCK_EX))
			}, false},
			"with a disk mounted in it": {func(dir string) {
				put(dir + "/" + mark)
				hosttest.Must(t, os.Mkdir(dir+"/files/disk", 0o755))
				hosttest.Must(t, unix.Mount("tmpfs", dir+"/files/disk", "tmpfs", 0, ""))
				put(dir + "/files/disk/kubelet.deb")
			}, false},
		} {
			dir := filepath.Join(root, base, stages+"x")
			put(dir + "/files/kubelet.deb")
			c.prepare(dir)
			hosttest.Must(t, os.Chtimes(dir, long, long))
			s, err := Open(local, nil, nil)
			hosttest.Must(t, err)
			hosttest.Must(t, s.Close())
			kept := dir + "/files/kubelet.deb"
			if name == "with a disk mounted in it" {
				kept = dir + "/files/disk/kubelet.deb"
			}
			if _, err := os.Lstat(kept); (err != nil) != c.goes {
				t.Errorf("%s: %v", name, err)
			}
			_ = unix.Unmount(dir+"/files/disk", 0)
			hosttest.Must(t, os.RemoveAll(dir))
		}
		if left, err := os.ReadDir(filepath.Join(root, base)); err != nil || len(left) > 0 {
			t.Errorf("left of our own: %v, %v", left, err)
		}
	})
}

// TestAStageInUseIsNotSweptByAnother: a dry run takes no lock of the host, and a clock may jump.
func TestAStageInUseIsNotSweptByAnother(t *testing.T) {
	local := host.Local{Root: t.TempDir()}
	first, err := Open(local, nil, nil)
	hosttest.Must(t, err)
	long := time.Now().Add(-2 * old)
	hosttest.Must(t, os.Chtimes(local.Path(first.Dir), long, long))
	second, err := Open(local, nil, nil)
	hosttest.Must(t, err)
	if _, err := os.Lstat(local.Path(first.Dir)); err != nil {
		t.Error(err)
	}
	hosttest.Must(t, first.Close())
	hosttest.Must(t, second.Close())
}
