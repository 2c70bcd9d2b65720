// SPDX-License-Identifier: Apache-2.0

package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Key names a build product by all that went into it: the same parts give the
// same key, and nothing has to be built twice. The parts are length-prefixed,
// so that two lists that merely concatenate alike differ.
func Key(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s,", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}

// KeyOfFiles is the key of the contents and base names of files.
func KeyOfFiles(paths ...string) (string, error) {
	hash := sha256.New()
	for _, path := range paths {
		fmt.Fprintf(hash, "%s:", filepath.Base(path))
		if err := hashFile(hash, path); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

// KeyOfSources is the key of the Go sources below dir, tests left out: code
// that makes an image is part of what the image is made of.
func KeyOfSources(dir string) (string, error) {
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return "", fmt.Errorf("list sources in %s: %w", dir, err)
	}
	var sources []string
	for _, path := range all {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			sources = append(sources, path)
		}
	}
	if len(sources) == 0 {
		return "", fmt.Errorf("list sources in %s: there are none: run this program from hack/testbed", dir)
	}
	return KeyOfFiles(sources...)
}

func hashFile(hash io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("hash file: %w", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("hash %s: %w", path, err)
	}
	return nil
}
