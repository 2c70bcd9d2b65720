// SPDX-License-Identifier: Apache-2.0

// Package image makes container images out of files, without an image builder
// and without a registry: layers, an OCI archive of many images, and the node
// image that has them all preloaded.
package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// File is one entry of a layer. Exactly one of Source (a file on this machine),
// Data and Link is meant; none of them gives an empty file, Dir a directory.
type File struct {
	Path   string
	Mode   int64
	Source string
	Data   []byte
	Link   string
	Dir    bool
}

// treeWriter writes a tar and makes the directories that its files need.
type treeWriter struct {
	out  *tar.Writer
	seen map[string]bool
}

func newTreeWriter(w io.Writer) *treeWriter {
	return &treeWriter{out: tar.NewWriter(w), seen: map[string]bool{".": true}}
}

// copyFrom copies the entries of another tar for which keep says yes.
func (t *treeWriter) copyFrom(r io.Reader, keep func(name string) bool) error {
	in := tar.NewReader(r)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read root file system: %w", err)
		}
		name := clean(header.Name)
		if !keep(name) {
			continue
		}
		t.seen[name] = true
		if err := t.out.WriteHeader(header); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
		if _, err := io.Copy(t.out, in); err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
}

// add writes files; owner root, and no times, so that the same files give the
// same bytes.
func (t *treeWriter) add(files []File) error {
	for _, file := range files {
		if err := t.addOne(file); err != nil {
			return fmt.Errorf("add %s: %w", file.Path, err)
		}
	}
	return nil
}

func (t *treeWriter) addOne(file File) error {
	name := clean(file.Path)
	if err := t.parents(name); err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: file.Mode, Typeflag: tar.TypeReg, Size: int64(len(file.Data))}
	switch {
	case file.Dir:
		header.Typeflag, header.Name = tar.TypeDir, name+"/"
		t.seen[name] = true
	case file.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, file.Link
	case file.Source != "":
		return t.addSource(header, file.Source)
	}
	if err := t.out.WriteHeader(header); err != nil {
		return err
	}
	_, err := t.out.Write(file.Data)
	return err
}

func (t *treeWriter) addSource(header *tar.Header, source string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := t.out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(t.out, in)
	return err
}

// parents writes the directories above name that are not there yet.
func (t *treeWriter) parents(name string) error {
	dir := path.Dir(name)
	if t.seen[dir] {
		return nil
	}
	if err := t.parents(dir); err != nil {
		return err
	}
	t.seen[dir] = true
	return t.out.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir})
}

func (t *treeWriter) close() error { return t.out.Close() }

// clean gives every spelling of a path in a tar the same form: no leading "./"
// or "/", no trailing "/".
func clean(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name != "" {
		return name
	}
	return "."
}
