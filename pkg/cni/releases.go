// SPDX-License-Identifier: Apache-2.0

package cni

import "context"

// Releases is all that this package wants of Helm. The implementation is the
// struct Helm; another version of Helm is another implementation.
type Releases interface {
	// Find returns the newest revision of a release; the zero Release if there
	// is none.
	Find(ctx context.Context, namespace, name string) (Release, error)
	// Load reads a chart from where the source says.
	Load(ctx context.Context, source Source) (Chart, error)
	// Render has the chart rendered and checked against the API without
	// changing anything, and returns the objects that Apply would write, the
	// record of the release included.
	Render(ctx context.Context, desired Desired) ([]Object, error)
	// Apply makes the release so. It does not wait for anything to be ready.
	// What has begun is finished even when ctx ends.
	Apply(ctx context.Context, desired Desired) error
	// Unlock marks an unfinished release as failed, so that Apply can take it
	// up.
	Unlock(ctx context.Context, release Release) error
}

// Source says where a chart comes from.
type Source struct {
	// Chart is a directory, a .tgz, the http(s) URL of an archive or of a
	// repository, or an oci:// reference.
	Chart string `json:"chart"`
	// Name is the chart's name, by which it is found in a repository and
	// checked anywhere.
	Name string `json:"name"`
	// Version is exact; empty means whatever is there, where there is only one
	// (a path, an archive, a tagged reference).
	Version string `json:"version,omitempty"`
	// Digest is "sha256:…" of the archive that it has to be; empty means any.
	Digest string `json:"digest,omitempty"`
}

// Chart is a chart in memory.
type Chart struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Digest is of the templates and the default values: equal digests render
	// equally.
	Digest string `json:"digest"`
	Files  []File `json:"-"`
}

// File is a file of a chart; the name is relative to the chart.
type File struct {
	Name string
	Data []byte
}

// Desired is how a release shall be.
type Desired struct {
	Namespace, Name string
	Chart           Chart
	Values          map[string]any
	// Action is how to get there.
	Action Action
}

// Object names an object in the API.
type Object struct {
	Group     string `json:"group,omitempty"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Action is what is to be done with a release.
type Action string

// The actions.
const (
	// Keep: the release is as it shall be.
	Keep Action = "keep"
	// Install: there is none.
	Install Action = "install"
	// Replace: there is only the record of one that was uninstalled.
	Replace Action = "replace"
	// Upgrade: there is one to go on from, be it deployed or half-made.
	Upgrade Action = "upgrade"
)
