// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
)

// wideAt makes many directories in the deepest of some nested ones.
func wideAt(t *testing.T, depth, many int) string {
	t.Helper()
	top := t.TempDir()
	fd, err := unix.Open(top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for range depth {
		if err == nil {
			err = unix.Mkdirat(fd, "d", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		above := fd
		fd, err = unix.Openat(fd, "d", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		_ = unix.Close(above)
	}
	for i := range many {
		if err == nil {
			err = unix.Mkdirat(fd, "directory-with-a-name-"+strconv.Itoa(i), 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	return top + "/d"
}

// A pod may make a hundred thousand directories far below: the one in which they are
// is not read anew for each of them.
func TestManyDirectoriesFarBelowTakeNoLongerThanElsewhere(t *testing.T) {
	took := map[int]time.Duration{}
	for _, depth := range []int{2, tree.MostAhead + 40} {
		top := wideAt(t, depth, 5000)
		begun := time.Now()
		if err := (Local{}).Remove(top); err != nil {
			t.Fatal(err)
		}
		took[depth] = time.Since(begun)
		if _, err := os.Lstat(top); err == nil {
			t.Error("it is still there")
		}
	}
	t.Logf("it took %v", took)
	if took[tree.MostAhead+40] > 4*took[2]+time.Second {
		t.Errorf("it took %v", took)
	}
}
