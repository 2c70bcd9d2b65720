// SPDX-License-Identifier: Apache-2.0

package image

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// layer is a compressed layer in a file of its own.
type layer struct {
	path   string
	digest string
	diffID string
	size   int64
}

// newLayer writes a layer into dir. fill gets the uncompressed stream.
func newLayer(dir string, fill func(io.Writer) error) (layer, error) {
	file, err := os.CreateTemp(dir, "layer-")
	if err != nil {
		return layer{}, fmt.Errorf("create layer: %w", err)
	}
	defer file.Close()
	plain, packed := sha256.New(), sha256.New()
	// Speed over size: a layer is read a few times from a local disk.
	compressor, err := gzip.NewWriterLevel(io.MultiWriter(file, packed), gzip.BestSpeed)
	if err != nil {
		return layer{}, fmt.Errorf("compress layer: %w", err)
	}
	if err := fill(io.MultiWriter(compressor, plain)); err != nil {
		return layer{}, fmt.Errorf("fill layer: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return layer{}, fmt.Errorf("compress layer: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return layer{}, fmt.Errorf("measure layer: %w", err)
	}
	return layer{path: file.Name(), digest: digest(packed), diffID: digest(plain), size: info.Size()}, nil
}

// filesLayer is a layer of files.
func filesLayer(dir string, files []File) (layer, error) {
	return newLayer(dir, func(w io.Writer) error {
		tree := newTreeWriter(w)
		if err := tree.add(files); err != nil {
			return err
		}
		return tree.close()
	})
}

// rootfsLayer is a layer that is a root file system, without its device files
// and package lists, and some files over it.
func rootfsLayer(dir, rootfs string, files []File) (layer, error) {
	return newLayer(dir, func(w io.Writer) error {
		return writeTree(w, rootfs, files, keepInImage)
	})
}

// writeTree writes a root file system with files laid over it as one tar.
func writeTree(w io.Writer, rootfs string, files []File, keep func(string) bool) error {
	in, err := os.Open(filepath.Clean(rootfs))
	if err != nil {
		return fmt.Errorf("open root file system: %w", err)
	}
	defer in.Close()
	over := map[string]bool{}
	for _, file := range files {
		over[clean(file.Path)] = true
	}
	tree := newTreeWriter(w)
	err = tree.copyFrom(in, func(name string) bool { return !over[name] && keep(name) })
	if err != nil {
		return err
	}
	if err := tree.add(files); err != nil {
		return err
	}
	return tree.close()
}

func digest(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }
