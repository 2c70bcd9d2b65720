// SPDX-License-Identifier: Apache-2.0

package ownunit

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Copy copies this program beside itself, where programs may run (/run often forbids that),
// with the label that systemd needs where SELinux is enforced (containerd#11814). The name
// of the copy begins with a prefix. Who copies it removes it where the unit has not begun.
func Copy(prefix string) (copied string, err error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = self.Close() }() // it was read
	f, err := os.CreateTemp(filepath.Dir(name), prefix+"*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, self)
	if _, enforced := os.Stat("/sys/fs/selinux/enforce"); enforced == nil {
		_ = unix.Setxattr(f.Name(), "security.selinux", []byte("system_u:object_r:bin_t:s0\x00"), 0)
	}
	if err := errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// Discard is what the unit does first: it runs on without the file of the copy, which is
// left behind if what brought it is killed. Any other program stays.
func Discard(prefix string) {
	if self, err := os.Executable(); err == nil && strings.HasPrefix(filepath.Base(self), prefix) {
		_ = os.Remove(self)
	}
}
