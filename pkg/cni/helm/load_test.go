// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// archived is the chart of testdata as a .tgz.
func archived(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	tape := tar.NewWriter(zip)
	for _, name := range []string{"Chart.yaml", "values.yaml", "templates/agent.yaml"} {
		raw, err := os.ReadFile(filepath.Join("testdata/chart", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := tape.WriteHeader(&tar.Header{Name: "flannel/" + name, Mode: 0o600, Size: int64(len(raw))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tape.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tape.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// repository serves a chart repository below /charts.
func repository(t *testing.T, digest string) *httptest.Server {
	t.Helper()
	archive := archived(t)
	if digest == "" {
		digest = fmt.Sprintf("%x", sha256.Sum256(archive))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/charts/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "entries:\n  flannel:\n  - {version: v9.9.9, urls: [archives/flannel.tgz], digest: %s}\n  - {version: v8.0.0, urls: "+
			"[no.tgz]}\n", digest)
	})
	mux.HandleFunc("/charts/archives/flannel.tgz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(archive)
	})
	mux.HandleFunc("/page.tgz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	mux.HandleFunc("/page/index.yaml", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>: [") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// ociRegistry serves the chart of testdata as charts/flannel:v9.9.9.
func ociRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(ociHandler(t))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http://", "oci://", 1) + "/charts/flannel"
}

// ociHandler is a registry of the OCI distribution specification with the chart of
// testdata.
func ociHandler(t *testing.T) http.Handler {
	t.Helper()
	blobs := map[string][]byte{}
	blob := func(mediaType string, data []byte) map[string]any {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		blobs[digest] = data
		return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(data)}
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": blob("application/vnd.cncf.helm.config.v1+json", []byte(`{"name":"flannel","version":"v9.9.9"}`)),
		"layers": []any{blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archived(t))},
	})
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/charts/flannel/manifests/{reference}", func(w http.ResponseWriter, r *http.Request) {
		if ref := r.PathValue("reference"); ref != "v9.9.9" && ref != digest {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", manifestType)
		w.Header().Set("Docker-Content-Digest", digest)
		_, _ = w.Write(manifest)
	})
	mux.HandleFunc("/v2/charts/flannel/blobs/{digest}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(blobs[r.PathValue("digest")])
	})
	return mux
}

func TestLoadFindsAChartEverywhere(t *testing.T) {
	server := repository(t, "")
	file := filepath.Join(t.TempDir(), "flannel.tgz")
	if err := os.WriteFile(file, archived(t), 0o600); err != nil {
		t.Fatal(err)
	}
	oci := ociRegistry(t)
	var digests []string
	for name, source := range map[string]chart.Source{
		"in a directory":  {Chart: "testdata/chart"},
		"in an archive":   {Chart: file},
		"at a URL":        {Chart: server.URL + "/charts/archives/flannel.tgz"},
		"in a repository": {Chart: server.URL + "/charts", Version: "v9.9.9"},
		"in a repository, by version without its v": {Chart: server.URL + "/charts/", Version: "9.9.9"},
		"in a registry":         {Chart: oci, Version: "v9.9.9"},
		"in a registry, by tag": {Chart: oci + ":v9.9.9"},
	} {
		t.Run(name, func(t *testing.T) {
			source.Name = "flannel"
			got, err := Client{}.Load(t.Context(), source)
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != "flannel" || got.Version != "v9.9.9" || len(got.Files) != 3 {
				t.Errorf("%s %s with %d files", got.Name, got.Version, len(got.Files))
			}
			digests = append(digests, got.Digest)
			if _, err := assemble(got); err != nil {
				t.Error(err)
			}
		})
	}
	for _, d := range digests {
		if d != digests[0] || d == "" {
			t.Errorf("the same chart has the digests %v", digests)
		}
	}
}

func TestLoadSaysWhyThereIsNoChart(t *testing.T) {
	server := repository(t, "")
	wrong := repository(t, "sha256:00")
	secret := strings.Replace(server.URL, "http://", "http://me:hush@", 1)
	empty := t.TempDir()
	for name, c := range map[string]struct {
		source chart.Source
		says   string
		hint   string
	}{
		"no such path": {chart.Source{Chart: "flannel"}, "chart not found: no file or directory flannel",
			"--chart takes a directory"},
		"a directory without a chart": {chart.Source{Chart: empty}, "read chart " + empty, "Chart.yaml"},
		"no such file on the server":  {chart.Source{Chart: server.URL + "/no.tgz"}, "the server says 404", "bring the chart along"},
		"no archive":                  {chart.Source{Chart: server.URL + "/page.tgz"}, "read chart " + server.URL, "a .tgz of one"},
		"no repository":               {chart.Source{Chart: server.URL + "/page"}, "read index of chart repository", "is it the URL"},
		"no such version": {chart.Source{Chart: server.URL + "/charts", Version: "v1"}, "has no version v1 of chart flannel",
			"there are: v9.9.9, v8.0.0"},
		"no such chart": {chart.Source{Chart: server.URL + "/charts", Name: "other"}, "has no chart other", "check the URL"},
		"another digest": {chart.Source{Chart: wrong.URL + "/charts", Version: "v9.9.9"}, "the repository says sha256:00",
			"do not use this chart"},
		"nobody listens": {chart.Source{Chart: "http://127.0.0.1:1/c.tgz"}, "connection refused", "bring the chart along"},
		"no registry": {chart.Source{Chart: "oci://127.0.0.1:1/flannel", Version: "v1"}, "pull oci://127.0.0.1:1/flannel:v1",
			"helm registry login"},
		"no such tag": {chart.Source{Chart: ociRegistry(t), Version: "v1"}, "chart not found: pull oci://",
			"check --chart and --version"},
		"a password is not shown": {chart.Source{Chart: secret + "/no.tgz"}, "me:xxxxx@", "bring the chart along"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.source.Name == "" {
				c.source.Name = "flannel"
			}
			_, err := Client{}.Load(t.Context(), c.source)
			if err == nil || !strings.Contains(err.Error(), c.says) || plan.ClassOf(err) != plan.Refused || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v (class %d), want %q", err, plan.ClassOf(err), c.says)
			}
			if hint := plan.HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("hint %q, want %q", hint, c.hint)
			}
		})
	}
}
