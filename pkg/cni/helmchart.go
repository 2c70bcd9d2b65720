// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Load reads a chart.
func (h Helm) Load(ctx context.Context, source Source) (Chart, error) {
	defer quiet()()
	loaded, err := h.load(ctx, source)
	if err != nil {
		return Chart{}, err
	}
	if loaded.Metadata.Type == "library" {
		return Chart{}, plan.Refuse(fmt.Errorf("%s is a library chart", source.Chart), "give the chart of %s", source.Name)
	}
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return Chart{}, plan.Refuse(fmt.Errorf("chart %s: %w", source.Chart, err), "fetch them: helm dependency build %s", text.Quote(source.Chart))
	}
	out := Chart{Name: loaded.Metadata.Name, Version: loaded.Metadata.Version, Digest: digest(loaded)}
	for _, f := range loaded.Raw {
		out.Files = append(out.Files, File{Name: f.Name, Data: f.Data})
	}
	return out, nil
}

func (h Helm) load(ctx context.Context, source Source) (*chart.Chart, error) {
	var data []byte
	var err error
	switch {
	case registry.IsOCI(source.Chart):
		data, err = fromRegistry(ctx, source)
	case isRepository(source.Chart):
		data, err = fromRepository(ctx, source)
	case isURL(source.Chart):
		data, err = download(ctx, source.Chart)
	default:
		path, err := localChart(source.Chart)
		if err != nil {
			return nil, err
		}
		loaded, err := loader.Load(path)
		return loaded, notAChart(source, err)
	}
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadArchive(bytes.NewReader(data))
	return loaded, notAChart(source, err)
}

func notAChart(source Source, err error) error {
	if err == nil {
		return nil
	}
	return plan.Refuse(fmt.Errorf("read chart %s: %w", source.Chart, err), "a chart is a directory with Chart.yaml, or a .tgz of one (helm package)")
}

// fromRegistry pulls a chart from an OCI registry, with the credentials of
// "helm registry login" or of Docker.
func fromRegistry(ctx context.Context, source Source) ([]byte, error) {
	ref := strings.TrimPrefix(source.Chart, "oci://")
	if needsVersion(source.Chart) {
		// A "+" is not allowed in a tag, so Helm pushes "_" for it.
		ref += ":" + strings.ReplaceAll(source.Version, "+", "_")
	}
	options := []registry.ClientOption{
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptHTTPClient(&http.Client{Transport: bound{ctx, transport()}}),
	}
	host, _, _ := strings.Cut(ref, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		// As Docker does: a registry on this machine has no certificate.
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("make a client for registry %s: %w", host, err)
	}
	got, err := client.Pull(ref)
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("%w: pull oci://%s: %w", errNoChart, ref, cause(err)),
			"check --chart and --version; a private registry wants: helm registry login %s; %s", text.Quote(host), bringHint)
	}
	return got.Chart.Data, nil
}

// bound ends the requests of a library that knows no context.
type bound struct {
	ctx  context.Context //nolint:containedctx // Helm's registry client takes none
	next http.RoundTripper
}

// RoundTrip sends a request that ends with the context.
func (b bound) RoundTrip(request *http.Request) (*http.Response, error) {
	return b.next.RoundTrip(request.WithContext(b.ctx))
}

// load makes Helm's chart of the files: a fresh one, because rendering changes
// it.
func (c Chart) load() (*chart.Chart, error) {
	var files []*loader.BufferedFile
	for _, f := range c.Files {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return loader.LoadFiles(files)
}

// digest is of what renders: templates and default values, of dependencies too.
func digest(c *chart.Chart) string {
	type content struct {
		Name      string
		Templates []*chart.File
		Values    map[string]any
		Parts     []string
	}
	sum := content{Name: c.Name(), Templates: c.Templates, Values: c.Values}
	for _, d := range c.Dependencies() {
		sum.Parts = append(sum.Parts, digest(d))
	}
	raw, err := json.Marshal(sum)
	if err != nil {
		return ""
	}
	hash := sha256.Sum256(raw)
	return hex.EncodeToString(hash[:])
}

// ReadValues reads the values that a person gives, as Helm does: files of YAML
// in their order, over them sets of the form "a.b=c,d={1,2}". An error is of
// class Misused.
func ReadValues(files, sets []string) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read values: %w", err))
		}
		read := map[string]any{}
		if err := yaml.Unmarshal(raw, &read); err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read values %s: %w", name, err))
		}
		values = merge(values, read)
	}
	for _, set := range sets {
		if err := strvals.ParseInto(set, values); err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read --set %s: %w", set, err))
		}
	}
	return values, nil
}
