// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const bringHint = "without a way to it, bring the chart along: --chart FILE.tgz or --chart DIRECTORY"

// errNoChart is wrapped by the refusals of a chart that cannot be had.
var errNoChart = errors.New("chart not found")

// needsVersion tells where there may be charts of many versions.
func needsVersion(chart string) bool {
	ref, oci := strings.CutPrefix(chart, "oci://")
	if oci {
		return !strings.ContainsAny(ref[strings.LastIndex(ref, "/")+1:], ":@")
	}
	return isRepository(chart)
}

// isRepository tells the URL of a chart repository from that of an archive.
func isRepository(chart string) bool {
	return isURL(chart) && !isArchive(chart)
}

func isURL(chart string) bool {
	return strings.HasPrefix(chart, "https://") || strings.HasPrefix(chart, "http://")
}

func isArchive(chart string) bool {
	u, err := url.Parse(chart)
	return err == nil && (strings.HasSuffix(u.Path, ".tgz") || strings.HasSuffix(u.Path, ".tar.gz"))
}

// localChart makes a path absolute after looking that it is there, so that no
// name is ever taken for a file by chance, nor a file for a name.
func localChart(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: no file or directory %s", errNoChart, path)
		}
		return "", plan.Refuse(err, "--chart takes a directory, a .tgz, an https:// URL (archive or repository) or an oci:// reference")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", plan.Refuse(fmt.Errorf("read chart %s: %w", path, err), "give its absolute path")
	}
	return absolute, nil
}

// index is what matters of a repository's index.yaml.
type index struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

// fromRepository downloads a chart of a version from a chart repository, and
// checks it against the digest in the repository's index.
func fromRepository(ctx context.Context, source Source) ([]byte, error) {
	base := strings.TrimSuffix(source.Chart, "/") + "/"
	raw, err := download(ctx, base+"index.yaml", maxIndex)
	if err != nil {
		return nil, err
	}
	var ix index
	if err := yaml.Unmarshal(raw, &ix); err != nil {
		return nil, plan.Refuse(fmt.Errorf("read index of chart repository %s: %w", source.Chart, err), "is it the URL of a chart repository? %s", bringHint)
	}
	archive, digest, err := ix.find(source)
	if err != nil {
		return nil, err
	}
	from, to, err := resolve(base, archive)
	if err != nil {
		return nil, err
	}
	if from.Scheme == "https" && to.Scheme != "https" {
		return nil, plan.Refuse(fmt.Errorf("chart repository %s names its chart at %s, which is not https", from.Redacted(), to.Redacted()), "use another repository; %s", bringHint)
	}
	if digest == "" && source.Digest == "" {
		return nil, plan.Refuse(fmt.Errorf("chart repository %s names no digest of chart %s %s", from.Redacted(), source.Name, source.Version),
			"name the one that you have checked: --chart-digest sha256:…")
	}
	// A name and password go where they were meant to go: the same host, port and
	// way.
	if from.Host == to.Host && from.Scheme == to.Scheme && to.User == nil {
		to.User = from.User
	}
	data, err := download(ctx, to.String(), maxChart)
	if err != nil {
		return nil, err
	}
	if digest != "" && !hasDigest(data, digest) {
		return nil, plan.Refuse(fmt.Errorf("chart %s has the digest %s, the repository says %s", to.Redacted(), digestOf(data), text.Short(digest, 100)),
			"something on the way changes files; do not use this chart")
	}
	return data, nil
}

// resolve is where a repository is, and where its archive: an index may name its
// archives relative to itself.
func resolve(base, archive string) (from, to *url.URL, err error) {
	if from, err = url.Parse(base); err != nil {
		return nil, nil, fmt.Errorf("read URL %s: %w", base, err)
	}
	if to, err = from.Parse(archive); err != nil {
		return nil, nil, fmt.Errorf("read URL %s: %w", archive, err)
	}
	return from, to, nil
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

// find returns the address and digest of the archive of a chart.
func (ix index) find(source Source) (archive, digest string, err error) {
	var versions []string
	for _, e := range ix.Entries[source.Name] {
		if sameVersion(e.Version, source.Version) && len(e.URLs) > 0 {
			return e.URLs[0], e.Digest, nil
		}
		versions = append(versions, e.Version)
	}
	if len(versions) == 0 {
		return "", "", plan.Refuse(fmt.Errorf("%w: repository %s has no chart %s", errNoChart, source.Chart, source.Name), "check the URL in --chart")
	}
	if len(versions) > 5 {
		versions = append(versions[:5], "…")
	}
	return "", "", plan.Refuse(fmt.Errorf("%w: repository %s has no version %s of chart %s", errNoChart, source.Chart, source.Version, source.Name),
		"there are: %s", text.Join(versions, ", "))
}
