// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

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
	raw, err := download(ctx, base+"index.yaml", maxIndex, source.Roots)
	if err != nil {
		return nil, err
	}
	var ix index
	if err := yaml.Unmarshal(raw, &ix); err != nil {
		return nil, plan.Refuse(fmt.Errorf("read index of chart repository %s: %w", source.Chart, err),
			"is it the URL of a chart repository? %s", bringHint)
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
		return nil, plan.Refuse(fmt.Errorf("chart repository %s names its chart at %s, which is not https", from.Redacted(), to.Redacted()),
			"use another repository; %s", bringHint)
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
	data, err := download(ctx, to.String(), maxChart, source.Roots)
	if err != nil {
		return nil, err
	}
	if digest != "" && !hasDigest(data, digest) {
		return nil, plan.Refuse(fmt.Errorf("chart %s has the digest %s, the repository says %s", to.Redacted(), digestOf(data),
			text.Short(digest, 100)),
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

// find returns the address and digest of the archive of a chart.
func (ix index) find(source Source) (archive, digest string, err error) {
	var versions []string
	for _, e := range ix.Entries[source.Name] {
		if SameVersion(e.Version, source.Version) && len(e.URLs) > 0 {
			return e.URLs[0], e.Digest, nil
		}
		versions = append(versions, e.Version)
	}
	if len(versions) == 0 {
		return "", "", plan.Refuse(fmt.Errorf("%w: repository %s has no chart %s", errNoChart, source.Chart, source.Name),
			"check the URL in --chart")
	}
	if len(versions) > 5 {
		versions = append(versions[:5], "…")
	}
	return "", "", plan.Refuse(fmt.Errorf("%w: repository %s has no version %s of chart %s", errNoChart, source.Chart,
		source.Version, source.Name),
		"there are: %s", text.Join(versions, ", "))
}
