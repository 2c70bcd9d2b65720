// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// closedRegistry has what an open one has, below a path, for who has a name and
// password, and with a certificate of its own authority.
func closedRegistry(t *testing.T) (host string, roots *x509.CertPool) {
	t.Helper()
	open := ociHandler(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "me" || password != "hush" {
			w.Header().Set("WWW-Authenticate", `Basic realm="closed"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		rest, below := strings.CutPrefix(r.URL.Path, "/v2/quay/io/")
		if !below {
			http.NotFound(w, r)
			return
		}
		r.URL.Path = "/v2/" + rest
		open.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return strings.TrimPrefix(server.URL, "https://"), roots
}

// loggedIn writes what "helm registry login" writes.
func loggedIn(t *testing.T, host string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	auth := base64.StdEncoding.EncodeToString([]byte("me:hush"))
	if err := os.WriteFile(file, []byte(`{"auths":{"`+host+`":{"auth":"`+auth+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HELM_REGISTRY_CONFIG", file)
}

func TestAChartComesThroughAClosedMirror(t *testing.T) {
	host, roots := closedRegistry(t)
	m, err := mirror.Parse([]string{"quay.io=" + host + "/quay/io"})
	if err != nil {
		t.Fatal(err)
	}
	source := chart.Source{Chart: m.Chart("oci://quay.io/charts/flannel"), Name: "flannel", Version: "v9.9.9", Roots: roots}
	t.Run("with name, password and authority", func(t *testing.T) {
		loggedIn(t, host)
		got, err := Client{}.Load(t.Context(), source)
		if err != nil || got.Version != "v9.9.9" {
			t.Errorf("%s, %v", got.Version, err)
		}
	})
	for name, change := range map[string]func(*chart.Source){
		"without a name":          func(*chart.Source) {},
		"without its authority":   func(s *chart.Source) { s.Roots = x509.NewCertPool() },
		"without the path before": func(s *chart.Source) { s.Chart = "oci://" + host + "/charts/flannel" },
	} {
		t.Run(name, func(t *testing.T) {
			if name != "without a name" {
				loggedIn(t, host)
			} else {
				t.Setenv("HELM_REGISTRY_CONFIG", filepath.Join(t.TempDir(), "none"))
			}
			changed := source
			change(&changed)
			_, err := Client{}.Load(t.Context(), changed)
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}
