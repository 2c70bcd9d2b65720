// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Somebody moves the directory whose content is being removed into their own: what is
// above it now must not be taken for what was above it.
func TestADirectoryThatWasMovedIsNotLeftIntoAnother(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{os.MkdirAll(dir+"/ours/a/b", 0o755), os.MkdirAll(dir+"/theirs/a", 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var stat unix.Stat_t
	if err := unix.Stat(dir+"/ours/a", &stat); err != nil {
		t.Fatal(err)
	}
	below, err := unix.Open(dir+"/ours/a/b", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(below) }()
	f := frame{fd: -1, inode: stat.Ino, device: uint64(stat.Dev)} //nolint:unconvert // 32 bits elsewhere
	if err := f.reopen(below); err != nil || f.fd < 0 {
		t.Fatalf("where it was: %v", err)
	}
	_ = unix.Close(int(f.fd))
	if err := os.Rename(dir+"/ours/a/b", dir+"/theirs/a/b"); err != nil {
		t.Fatal(err)
	}
	f.fd = -1
	if err := f.reopen(below); !errors.Is(err, errMoved) || f.fd >= 0 {
		t.Errorf("got %v", err)
	}
}

func TestALongPathIsShownWithoutItsMiddle(t *testing.T) {
	for _, path := range []string{"/a/b", strings.Repeat("/n", 5000), strings.Repeat("/ü", 5000), "/" + strings.Repeat("\xff", 400)} {
		if got := short(path); len(got) > mostPath || (len(path) <= mostPath) != (got == path) || utf8.ValidString(path) &&
			!utf8.ValidString(got) {
			t.Errorf("%.20s… is shown as %q", path, got)
		}
	}
	deep := &Remover{Path: "/pods"}
	for range 100_000 {
		deep.frames = append(deep.frames, frame{name: "level"})
	}
	if got := deep.pathOf("file"); len(got) > mostPath || !strings.HasPrefix(got, "/pods/level/") || !strings.HasSuffix(got, "/level/file") {
		t.Errorf("got %q", got)
	}
}
