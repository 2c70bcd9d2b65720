// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// PackageDir is a directory of this machine with packages for hosts.
type PackageDir struct {
	Path  string
	Files []packages.File
	// Sums is the file of checksums that they were compared with; empty if there is none.
	Sums string
}

// mostOfSums bounds a file of checksums.
const mostOfSums = 1 << 20

// ReadPackageDir reads a directory: its packages, what each has for a checksum, and whether
// that is what a file SHA256SUMS in it says. A package that is not in that file, or differs
// from it, is an error.
func ReadPackageDir(path string) (PackageDir, error) {
	dir := PackageDir{Path: path}
	entries, err := os.ReadDir(path)
	if err != nil {
		return dir, err
	}
	sums, err := dir.readSums()
	if err != nil {
		return dir, err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".deb" && ext != ".rpm" {
			continue
		}
		f, err := dir.read(e.Name())
		if err != nil {
			return dir, err
		}
		switch want, known := sums[f.Name]; {
		case dir.Sums == "":
		case !known:
			return dir, plan.Hint(fmt.Errorf("%s is not in %s", f.Name, dir.Sums), "take it away, or add it there once you know what it is")
		case want != f.SHA256:
			return dir, plan.Hint(fmt.Errorf("%s is damaged: its checksum is not that in %s", f.Name, dir.Sums), "get it again")
		}
		dir.Files = append(dir.Files, f)
	}
	if len(dir.Files) == 0 {
		return dir, plan.Hint(fmt.Errorf("%s has no packages (*.deb, *.rpm)", path), "download them there (apt-get download, dnf download)")
	}
	return dir, nil
}

// readSums reads SHA256SUMS, as sha256sum writes it; none if it is not there.
func (d *PackageDir) readSums() (map[string]string, error) {
	path := filepath.Join(d.Path, "SHA256SUMS")
	f, _, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	raw, err := io.ReadAll(io.LimitReader(f, mostOfSums))
	sums := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if words := strings.Fields(line); len(words) == 2 {
			sums[strings.TrimPrefix(strings.TrimPrefix(words[1], "*"), "./")] = strings.ToLower(words[0])
		}
	}
	d.Sums = path
	return sums, err
}

// read is one file, with its checksum.
func (d *PackageDir) read(name string) (f packages.File, err error) {
	content, size, err := d.Open(name)
	if err != nil {
		return f, err
	}
	defer func() { _ = content.Close() }() // it was read
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return f, fmt.Errorf("read %s: %w", name, err)
	}
	return packages.File{Name: name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// Open opens a package for a host that asks for it: one of the directory, and nothing else.
func (d *PackageDir) Open(name string) (io.ReadCloser, int64, error) {
	ext := filepath.Ext(name)
	if name != filepath.Base(name) || ext != ".deb" && ext != ".rpm" {
		return nil, 0, fmt.Errorf("a host asks for %q, which is no package", name)
	}
	return openPlain(filepath.Join(d.Path, name))
}

// openPlain opens a regular file, and says how large it is. It is asked what it is before it is
// opened: what a link leads to may be no package but a secret, and a FIFO has no end.
func openPlain(path string) (*os.File, int64, error) {
	known, err := os.Lstat(path)
	if err != nil {
		return nil, 0, err
	}
	if !known.Mode().IsRegular() {
		return nil, 0, plan.Hint(fmt.Errorf("%s is not a regular file", path), "put the file itself there, or take that away")
	}
	f, err := os.OpenFile(path, os.O_RDONLY|plainly, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(known, info) {
		err = fmt.Errorf("%s is another file by now", path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
