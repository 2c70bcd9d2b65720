// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestOnlyRegularFilesOfABoundedSizeAreRead(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(
		os.WriteFile(in("ten"), []byte("0123456789"), 0o600), os.Symlink("ten", in("link")),
		unix.Mkfifo(in("fifo"), 0o600), os.Mkdir(in("dir"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		path string
		most int64
		want error
	}{
		"a file of just the bound":       {in("ten"), 10, nil},
		"a file of one byte more":        {in("ten"), 9, host.ErrTooLarge},
		"a file in /proc":                {"/proc/self/status", 1 << 16, nil},
		"a symbolic link":                {in("link"), 10, unix.ELOOP},
		"a FIFO, without waiting for it": {in("fifo"), 10, host.ErrNotRegular},
		"a directory":                    {in("dir"), 10, host.ErrNotRegular},
		"a device without end":           {"/dev/zero", 10, host.ErrNotRegular},
		"nothing":                        {in("none"), 10, os.ErrNotExist},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			raw, err := host.ReadPlain(c.path, c.most)
			if !errors.Is(err, c.want) || (err == nil) != (len(raw) > 0) {
				t.Errorf("read %d bytes, %v; want %v", len(raw), err, c.want)
			}
		})
	}
}

func TestADirectoryIsMadeWithThoseThatItIsIn(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(in("file"), nil, 0o600), os.Mkdir(in("there"), 0o755), os.Symlink("there", in("link"))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"one, in one that is there":         {"there/a", nil},
		"three":                             {"a/b/c", nil},
		"one that is there":                 {"there", nil},
		"one behind a link":                 {"link/d/e", nil},
		"one where a file is":               {"file", unix.ENOTDIR},
		"one below a file":                  {"file/a/b", unix.ENOTDIR},
		"one that is called in another way": {"there/../there/f/", nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := host.MakeDir(dir+"/"+c.path, 0o700)
			info, unread := os.Stat(dir + "/" + c.path)
			if !errors.Is(err, c.want) || err == nil && (unread != nil || !info.IsDir()) {
				t.Errorf("got %v, want %v; it is there: %v", err, c.want, unread)
			}
		})
	}
}
