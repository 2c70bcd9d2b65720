// SPDX-License-Identifier: Apache-2.0

// Package payload holds the node program for each architecture, as the plugin carries
// it with it.
package payload

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// programs holds the node programs, gzipped, one for each architecture. In a plain
// "go build" there are none; "make build" puts them beside this file.
//
//go:embed *
var programs embed.FS

// Payload is the node program for one architecture.
type Payload struct {
	Program []byte
	// Packed is the same, gzipped.
	Packed []byte
	// SHA256 is the program's hash in lower-case hex.
	SHA256 string
}

// For unpacks the embedded node program for an architecture in Go's
// (and Node.status's) spelling. A plugin built without it refuses and says how
// to build it.
func For(arch string) (Payload, error) {
	return from(programs, arch)
}

func from(files fs.FS, arch string) (Payload, error) {
	packed, err := fs.ReadFile(files, "lifecycle-node-linux-"+arch+".gz")
	switch {
	case errors.Is(err, fs.ErrNotExist) && arch != "amd64" && arch != "arm64":
		return Payload{}, plan.Refuse(fmt.Errorf("there is no node program for architecture %q", arch), "supported are amd64 and arm64")
	case errors.Is(err, fs.ErrNotExist):
		return Payload{}, plan.Refuse(errors.New("this plugin was built without the node program"),
			"build it with 'make build', which embeds the program for linux/amd64 and linux/arm64")
	case err != nil:
		return Payload{}, fmt.Errorf("read the embedded node program: %w", err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Payload{}, fmt.Errorf("unpack the embedded node program: %w", err)
	}
	program, err := io.ReadAll(zr)
	if err != nil {
		return Payload{}, fmt.Errorf("unpack the embedded node program: %w", err)
	}
	sum := sha256.Sum256(program)
	return Payload{Program: program, Packed: packed, SHA256: hex.EncodeToString(sum[:])}, nil
}
