// SPDX-License-Identifier: Apache-2.0

//go:build unix

package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// likeOwner gives a file the owner of another one or, where that is not there yet, of the
// directory. Only root may, and for anyone else there is nothing to do; an empty path is
// no file.
func likeOwner(path, model string) error {
	if path == "" || os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(model)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(model))
	}
	if err != nil {
		return err
	}
	owner, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}
