// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const bringHint = "without a way to it, bring the chart along: --chart FILE.tgz or --chart DIRECTORY"

// errNoChart is wrapped by the refusals of a chart that cannot be had.
var errNoChart = errors.New("chart not found")

// registryScheme begins the reference of a chart in an OCI registry.
const registryScheme = "oci://"

// Fetched is a chart as it was found: its archive, or where a directory or an
// archive lies on this machine.
type Fetched struct {
	Archive []byte
	Path    string
}

// Fetch finds the chart of a source, within bounds of size and time, over trusted
// ways alone, and checks its digest. A chart on this machine is read only where a
// digest is asked for. Every refusal says how to bring the chart along.
func Fetch(ctx context.Context, source Source, pull Puller) (Fetched, error) {
	var data []byte
	var err error
	switch {
	case strings.HasPrefix(source.Chart, registryScheme):
		data, err = fromRegistry(ctx, source, pull)
	case isRepository(source.Chart):
		data, err = fromRepository(ctx, source)
	case isURL(source.Chart):
		data, err = download(ctx, source.Chart, maxChart, source.Roots)
	default:
		path, err := localChart(source.Chart)
		if err != nil || source.Digest == "" {
			return Fetched{Path: path}, err
		}
		if data, err = os.ReadFile(path); err != nil {
			return Fetched{}, plan.Refuse(fmt.Errorf("read chart %s: %w", source.Chart, err),
				"only an archive has a digest: helm package makes one of a directory")
		}
	}
	if err != nil {
		return Fetched{}, err
	}
	return Fetched{Archive: data}, source.checkDigest(data)
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
