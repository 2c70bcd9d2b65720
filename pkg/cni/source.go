// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Sizes that no chart or index of a repository of ours comes near.
const (
	maxDownload = 64 << 20
	// answerTimeout is for the first byte of an answer.
	answerTimeout = 30 * time.Second
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
	raw, err := download(ctx, base+"index.yaml")
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
	// An index may name its archives relative to itself.
	from, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("read URL %s: %w", base, err)
	}
	to, err := from.Parse(archive)
	if err != nil {
		return nil, fmt.Errorf("read URL %s: %w", archive, err)
	}
	if from.Host == to.Host && to.User == nil {
		to.User = from.User
	}
	data, err := download(ctx, to.String())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); digest != "" && got != strings.TrimPrefix(digest, "sha256:") {
		return nil, plan.Refuse(fmt.Errorf("chart %s has the digest %s, the repository says %s", to.Redacted(), got, digest),
			"something on the way changes files; do not use this chart")
	}
	return data, nil
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
		"there are: %s", strings.Join(versions, ", "))
}

// download reads a URL; a name and password in it are used, and not shown.
func download(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, plan.As(plan.Misused, fmt.Errorf("read URL: %w", err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, plan.As(plan.Misused, fmt.Errorf("read URL %s: %w", u.Redacted(), err))
	}
	response, err := (&http.Client{Transport: transport()}).Do(request)
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("%w: get %s: %w", errNoChart, u.Redacted(), cause(err)), bringHint)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		return nil, plan.Refuse(fmt.Errorf("%w: get %s: the server says %s", errNoChart, u.Redacted(), response.Status), "check --chart and --version; %s", bringHint)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxDownload+1))
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("get %s: %w", u.Redacted(), err), "try again; %s", bringHint)
	}
	if len(data) > maxDownload {
		return nil, plan.Refuse(fmt.Errorf("get %s: more than %d MiB", u.Redacted(), maxDownload>>20), "check --chart: that is no chart")
	}
	return data, nil
}

// cause takes the URL out of an error of http: it is said already, and there
// without a password in it.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// transport is Go's own (proxies of the environment included), for a server
// that does not answer.
func transport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	t.DialContext = (&net.Dialer{Timeout: answerTimeout}).DialContext
	t.TLSHandshakeTimeout = answerTimeout
	t.ResponseHeaderTimeout = answerTimeout
	t.DisableKeepAlives = true
	return t
}
