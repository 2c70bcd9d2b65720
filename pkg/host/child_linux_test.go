// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAChildThatHangsIsGivenUpAndReplaced(t *testing.T) {
	u := &unmounter{}
	defer u.close()
	first, err := startChild()
	if err != nil {
		t.Fatal(err)
	}
	u.child = first
	if err := unix.Kill(first.cmd.Process.Pid, unix.SIGSTOP); err != nil { // as good as a dead NFS server
		t.Fatal(err)
	}
	if err := first.ask(t.Context(), verbUnmount, "/nowhere", 50*time.Millisecond); !errors.Is(err, errNoAnswer) {
		t.Fatalf("got %v", err)
	}
	u.close()
	if err := u.ask(t.Context(), verbUnmount, filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the next child says %v", err)
	}
}

func TestAChildThatDiesIsAnErrorAndReplaced(t *testing.T) {
	u := &unmounter{}
	defer u.close()
	if err := u.ask(t.Context(), verbUnmount, "/nowhere"); !errors.Is(err, unix.ENOENT) {
		t.Fatalf("got %v", err)
	}
	if err := u.child.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = u.child.cmd.Wait()
	var errno unix.Errno
	if err := u.ask(t.Context(), verbUnmount, "/nowhere"); err == nil || errors.As(err, &errno) && errno == unix.ENOENT {
		t.Errorf("the dead child says %v", err)
	}
	if err := u.ask(t.Context(), verbUnmount, "/nowhere"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the next child says %v", err)
	}
}

func TestTheChildDoesNothingItIsNotAskedFor(t *testing.T) {
	for _, args := range [][]string{nil, {"work"}, {childArgument, "more"}, {"--host-child"}} {
		if handled, _ := Child(args); handled {
			t.Errorf("%q was taken for its own", args)
		}
	}
	if errno := childDo("format", "/nowhere"); errno != unix.ENOSYS {
		t.Errorf("an unknown verb gives %v", errno)
	}
}

// deadFUSE mounts a file system whose server never answers.
func deadFUSE(t *testing.T, at string) {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
	if err := unix.Mount("dead", at, "fuse.dead", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Close() })
}
