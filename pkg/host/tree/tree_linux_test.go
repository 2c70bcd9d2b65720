// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWithoutOpenat2TheMountIDsDecide(t *testing.T) {
	for _, tc := range []struct {
		name, dir, entry string
		want             error
	}{
		{"a directory of the same mount", "/", "etc", nil},
		{"a directory that is a mount", "/", "proc", unix.EXDEV},
		{"a symbolic link", "/proc/self", "cwd", unix.ENOTDIR},
		{"nothing", "/", "there-is-no-such-thing", unix.ENOENT},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, err := unix.Open(tc.dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(dir) //nolint:errcheck // a test
			fd, err := openBeneathOld(dir, tc.entry)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if err == nil {
				_ = unix.Close(fd)
			}
		})
	}
}
