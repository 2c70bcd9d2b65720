// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// endless answers with as many bytes as are read.
func endless(w http.ResponseWriter, _ *http.Request) {
	block := make([]byte, 1<<20)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestAHostileServerGetsNowhere(t *testing.T) {
	archive := archived(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/endless.tgz", endless)
	mux.HandleFunc("/endless/index.yaml", endless)
	mux.HandleFunc("/plain.tgz", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/flannel.tgz", http.StatusFound)
	})
	mux.HandleFunc("/round.tgz", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round.tgz", http.StatusFound) })
	mux.HandleFunc("/bare/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "entries:\n  flannel:\n  - {version: v9.9.9, urls: [flannel.tgz]}\n")
	})
	mux.HandleFunc("/bare/flannel.tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	mux.HandleFunc("/away/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "entries:\n  flannel:\n  - {version: v9.9.9, digest: '00', urls: ['http://192.0.2.1/flannel.tgz']}\n")
	})
	mux.HandleFunc("/odd/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "entries:\n  flannel:\n  - {version: \"\\u001b[2J\", urls: [x]}\n")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	const wrong = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for name, c := range map[string]struct {
		source chart.Source
		says   string
	}{
		"plain http":                                {chart.Source{Chart: "http://192.0.2.1/flannel.tgz"}, "is not https"},
		"plain http to a repository":                {chart.Source{Chart: "http://example.invalid/charts", Version: "v1"}, "is not https"},
		"a name that only begins like this machine": {chart.Source{Chart: "http://localhost.example.invalid/c.tgz"}, "is not https"},
		"an archive without end":                    {chart.Source{Chart: server.URL + "/endless.tgz"}, "more than 16 MiB"},
		"an index without end":                      {chart.Source{Chart: server.URL + "/endless", Version: "v1"}, "more than 32 MiB"},
		"a redirect to plain http elsewhere":        {chart.Source{Chart: server.URL + "/plain.tgz"}, "is not https"},
		"redirects without end":                     {chart.Source{Chart: server.URL + "/round.tgz"}, "redirects more than 10 times"},
		"an index that leads to plain http":         {chart.Source{Chart: server.URL + "/away", Version: "v9.9.9"}, "is not https"},
		"an index without a digest":                 {chart.Source{Chart: server.URL + "/bare", Version: "v9.9.9"}, "names no digest"},
		"another archive than the one that was checked": {chart.Source{Chart: server.URL + "/bare/flannel.tgz", Digest: wrong},
			"not sha256:0000"},
		"the same in a registry": {chart.Source{Chart: ociRegistry(t), Version: "v9.9.9", Digest: wrong},
			"not sha256:0000"},
		"a digest of a directory":             {chart.Source{Chart: "testdata/chart", Digest: wrong}, "is a directory"},
		"versions that a terminal would obey": {chart.Source{Chart: server.URL + "/odd", Version: "v1"}, "has no version"},
	} {
		t.Run(name, func(t *testing.T) {
			c.source.Name = "flannel"
			_, err := Client{}.Load(t.Context(), c.source)
			if err == nil || !strings.Contains(err.Error(), c.says) || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
				t.Errorf("%v (class %d, hint %q), want %q", err, plan.ClassOf(err), plan.HintOf(err), c.says)
			}
			if err != nil && strings.Contains(err.Error()+plan.HintOf(err), "\x1b") {
				t.Error("a terminal would obey it")
			}
		})
	}
	t.Run("an index without a digest will do where the person has one", func(t *testing.T) {
		source := chart.Source{Chart: server.URL + "/bare", Name: "flannel", Version: "v9.9.9", Digest: fmt.Sprintf("sha256:%x",
			sha256.Sum256(archive))}
		if _, err := (Client{}).Load(t.Context(), source); err != nil {
			t.Error(err)
		}
	})
}

func TestAnArchiveThatUnpacksWithoutEndIsRefused(t *testing.T) {
	for name, write := range map[string]func(*testing.T, *tar.Writer){
		"one large file": func(t *testing.T, w *tar.Writer) { t.Helper(); addFile(t, w, "flannel/big", 8<<20) },
		"many files": func(t *testing.T, w *tar.Writer) {
			t.Helper()
			for i := range 26 {
				addFile(t, w, fmt.Sprintf("flannel/templates/%d.txt", i), 4<<20)
			}
		},
		"a file outside": func(t *testing.T, w *tar.Writer) { t.Helper(); addFile(t, w, "flannel/../../etc/passwd", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			zip := gzip.NewWriter(&out)
			tape := tar.NewWriter(zip)
			head := "name: flannel\nversion: v9.9.9\napiVersion: v2\n"
			if err := tape.WriteHeader(&tar.Header{Name: "flannel/Chart.yaml", Mode: 0o600, Size: int64(len(head))}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(tape, head); err != nil {
				t.Fatal(err)
			}
			write(t, tape)
			if err := errors.Join(tape.Close(), zip.Close()); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "bomb.tgz")
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := (Client{}).Load(t.Context(), chart.Source{Chart: file, Name: "flannel"}); err == nil || plan.ClassOf(err) != plan.Refused {
				t.Errorf("%d bytes were taken: %v", out.Len(), err)
			}
		})
	}
}

func addFile(t *testing.T, w *tar.Writer, name string, size int) {
	t.Helper()
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(size)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
}
