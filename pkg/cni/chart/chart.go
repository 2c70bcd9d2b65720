// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

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
	// Roots are the authorities that certificates are checked with; nil means this
	// machine's.
	Roots *x509.CertPool `json:"-"`
}

// Validate says whether reference and digest make sense, before anything is read;
// the error is of class Misused.
func (s Source) Validate() error {
	if s.Digest != "" && !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(s.Digest) {
		return plan.As(plan.Misused, plan.Hint(errors.New("--chart-digest is not a digest"), "sha256: and the 64 digits of: sha256sum CHART.tgz"))
	}
	if _, err := url.Parse(s.Chart); err != nil && isURL(s.Chart) {
		return plan.As(plan.Misused, fmt.Errorf("--chart: %w", err))
	}
	return nil
}

// NeedsVersion says whether the source may have charts of many versions.
func (s Source) NeedsVersion() bool {
	ref, oci := strings.CutPrefix(s.Chart, registryScheme)
	if oci {
		return !strings.ContainsAny(ref[strings.LastIndex(ref, "/")+1:], ":@")
	}
	return isRepository(s.Chart)
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

// Values are the chart's own.
func (c Chart) Values() (map[string]any, error) {
	own := map[string]any{}
	for _, f := range c.Files {
		if f.Name != "values.yaml" {
			continue
		}
		if err := yaml.Unmarshal(f.Data, &own); err != nil {
			return nil, fmt.Errorf("read values of chart %s: %w", c.Name, err)
		}
	}
	return own, nil
}

// SameVersion compares versions with or without the leading v that flannel's
// charts have and others have not.
func SameVersion(a, b string) bool {
	return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v")
}

// digestOf is the SHA-256 of a chart's archive, as the index of a repository and
// a registry write it.
func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func hasDigest(data []byte, digest string) bool {
	return digestOf(data) == "sha256:"+strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
}

// checkDigest refuses an archive that is not the one that a person has named.
// Without a name nothing is checked here: the chart is then as good as the
// repository, the registry and the way there. The default chart has no digest in
// this program: a version of it is built in, and who wants the very archive that
// was looked at names it.
func (s Source) checkDigest(data []byte) error {
	if s.Digest == "" || hasDigest(data, s.Digest) {
		return nil
	}
	return plan.Refuse(fmt.Errorf("chart %s has the digest %s, not %s", redacted(s.Chart), digestOf(data), s.Digest),
		"do not use this chart, or name the digest of one that you have checked")
}
