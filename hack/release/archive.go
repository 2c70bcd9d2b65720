// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// entry is a file that an archive gets.
type entry struct {
	name, path string
	mode       int64
}

// entries are what an archive holds, in the order of their names. All are ordinary files:
// krew 0.4 extracts nothing else (internal/download/downloader.go).
func (r *release) entries(p platform, built string) []entry {
	return []entry{
		{"LICENSE", filepath.Join(r.source, "LICENSE"), 0o644},
		{"README.md", filepath.Join(r.source, "README.md"), 0o644},
		{binaryOf(p), built, 0o755},
	}
}

func binaryOf(p platform) string {
	if p.os == "windows" {
		return plugin + ".exe"
	}
	return plugin
}

// nameOf is a file's name: kubectl-lifecycle_linux_amd64 and an ending.
func nameOf(p platform, ending string) string {
	return fmt.Sprintf("%s_%s_%s%s", plugin, p.os, p.arch, ending)
}

// writeArchive makes the archive of a platform.
func (r *release) writeArchive(p platform, built string) (artifact, error) {
	name, write := nameOf(p, ".tar.gz"), r.tarball
	if p.os == "windows" {
		name, write = nameOf(p, ".zip"), r.zipfile
	}
	err := r.create(name, func(f *os.File) error { return write(f, r.entries(p, built)) })
	if err != nil {
		return artifact{}, err
	}
	return artifact{name, p}, within(filepath.Join(r.out, name), mostArchive)
}

func (r *release) tarball(out io.Writer, entries []entry) error {
	zipped, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		raw, err := os.ReadFile(e.path)
		if err != nil {
			return err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(raw)), Mode: e.mode, ModTime: r.at, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(raw); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func (r *release) zipfile(out io.Writer, entries []entry) error {
	archive := zip.NewWriter(out)
	for _, e := range entries {
		raw, err := os.ReadFile(e.path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: r.at}
		header.SetMode(os.FileMode(e.mode))
		w, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeChecksums lists the hash of each file, as sha256sum reads it.
func (r *release) writeChecksums() error {
	files, err := os.ReadDir(r.out) // sorted by name
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue // the index
		}
		sum, err := hashOf(filepath.Join(r.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, f.Name())
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(list.String()), 0o644)
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was read only
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
