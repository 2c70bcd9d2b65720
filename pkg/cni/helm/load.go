// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"helm.sh/helm/v3/pkg/action"
	helmchart "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/registry"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Load reads a chart.
func (c Client) Load(ctx context.Context, source chart.Source) (chart.Chart, error) {
	defer quiet()()
	loaded, err := c.load(ctx, source)
	if err != nil {
		return chart.Chart{}, err
	}
	if loaded.Metadata.Type == "library" {
		return chart.Chart{}, plan.Refuse(fmt.Errorf("%s is a library chart", source.Chart), "give the chart of %s", source.Name)
	}
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return chart.Chart{}, plan.Refuse(fmt.Errorf("chart %s: %w", source.Chart, err), "fetch them: helm dependency build %s",
			text.Quote(source.Chart))
	}
	out := chart.Chart{Name: loaded.Metadata.Name, Version: loaded.Metadata.Version, Digest: digest(loaded)}
	for _, f := range loaded.Raw {
		out.Files = append(out.Files, chart.File{Name: f.Name, Data: f.Data})
	}
	return out, nil
}

func (c Client) load(ctx context.Context, source chart.Source) (*helmchart.Chart, error) {
	fetched, err := chart.Fetch(ctx, source, pull)
	if err != nil {
		return nil, err
	}
	if fetched.Path != "" {
		loaded, err := loader.Load(fetched.Path)
		return loaded, notAChart(source, err)
	}
	loaded, err := loader.LoadArchive(bytes.NewReader(fetched.Archive))
	return loaded, notAChart(source, err)
}

func notAChart(source chart.Source, err error) error {
	if err == nil {
		return nil
	}
	return plan.Refuse(fmt.Errorf("read chart %s: %w", source.Chart, err),
		"a chart is a directory with Chart.yaml, or a .tgz of one (helm package)")
}

// pull pulls from a registry, with the credentials of "helm registry login" or of
// Docker.
func pull(client *http.Client, withoutTLS bool, ref string) ([]byte, error) {
	options := []registry.ClientOption{registry.ClientOptWriter(io.Discard), registry.ClientOptHTTPClient(client)}
	if file := os.Getenv("HELM_REGISTRY_CONFIG"); file != "" {
		options = append(options, registry.ClientOptCredentialsFile(file))
	}
	if withoutTLS {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	puller, err := registry.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	got, err := puller.Pull(ref)
	if err != nil {
		return nil, err
	}
	return got.Chart.Data, nil
}

// assemble makes Helm's chart of the files: a fresh one, because rendering changes
// it.
func assemble(c chart.Chart) (*helmchart.Chart, error) {
	var files []*loader.BufferedFile
	for _, f := range c.Files {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return loader.LoadFiles(files)
}

// digest is of what renders: templates and default values, of dependencies too.
func digest(c *helmchart.Chart) string {
	type content struct {
		Name      string
		Templates []*helmchart.File
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
