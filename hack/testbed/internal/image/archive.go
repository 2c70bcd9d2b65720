// SPDX-License-Identifier: Apache-2.0

package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
)

// The parts of the OCI image format that are written here.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
	// nameAnnotation is where containerd finds an image's full name.
	nameAnnotation = "io.containerd.image.name"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type imageConfig struct {
	Architecture string  `json:"architecture"`
	OS           string  `json:"os"`
	Config       process `json:"config"`
	RootFS       rootFS  `json:"rootfs"`
}

// process is how a container of an image starts.
type process struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
}

// built is an image whose layers exist.
type built struct {
	names   []string
	layers  []layer
	process process
}

// archive collects the blobs of several images; a layer that images share is
// written once.
type archive struct {
	tree    *treeWriter
	index   index
	written map[string]bool
}

// writeArchive writes the images as one OCI image layout in a tar.
func writeArchive(w io.Writer, images []built) error {
	a := &archive{
		tree:    newTreeWriter(w),
		index:   index{SchemaVersion: 2, MediaType: typeIndex},
		written: map[string]bool{},
	}
	for _, img := range images {
		if err := a.add(img); err != nil {
			return fmt.Errorf("write image %s: %w", strings.Join(img.names, ", "), err)
		}
	}
	raw, err := json.Marshal(a.index)
	if err != nil {
		return fmt.Errorf("encode image index: %w", err)
	}
	err = a.tree.add([]File{
		{Path: "index.json", Mode: 0o644, Data: raw},
		{Path: "oci-layout", Mode: 0o644, Data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
	})
	if err != nil {
		return fmt.Errorf("write image index: %w", err)
	}
	return a.tree.close()
}

func (a *archive) add(img built) error {
	config := imageConfig{Architecture: runtime.GOARCH, OS: "linux", Config: img.process,
		RootFS: rootFS{Type: "layers"}}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest}
	for _, l := range img.layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
		m.Layers = append(m.Layers, descriptor{MediaType: typeLayer, Digest: l.digest, Size: l.size})
		if err := a.blob(l.digest, File{Source: l.path}); err != nil {
			return err
		}
	}
	var err error
	if m.Config, err = a.document(typeConfig, config); err != nil {
		return err
	}
	entry, err := a.document(typeManifest, m)
	if err != nil {
		return err
	}
	for _, name := range img.names {
		entry.Annotations = map[string]string{nameAnnotation: name}
		a.index.Manifests = append(a.index.Manifests, entry)
	}
	return nil
}

// document writes a JSON blob and returns its descriptor.
func (a *archive) document(mediaType string, content any) (descriptor, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return descriptor{}, err
	}
	sum := sha256.Sum256(raw)
	d := descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(raw))}
	return d, a.blob(d.Digest, File{Data: raw})
}

func (a *archive) blob(digest string, file File) error {
	if a.written[digest] {
		return nil
	}
	a.written[digest] = true
	file.Path, file.Mode = "blobs/"+strings.Replace(digest, ":", "/", 1), 0o644
	return a.tree.add([]File{file})
}
