// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shelf is a registry of the OCI distribution specification with two images: p/many
// for two architectures, p/one for one. How it asks for a name is up to ask.
func shelf(t *testing.T, ask func(w http.ResponseWriter, r *http.Request) bool) (http.Handler, string) {
	t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(config))
	index, err := json.Marshal(map[string]any{"manifests": []any{
		map[string]any{"platform": map[string]any{"os": "linux", "architecture": "arm64"}},
		map[string]any{"platform": map[string]any{"os": "linux", "architecture": "amd64"}},
		map[string]any{"platform": map[string]any{"os": "windows", "architecture": "amd64"}},
		map[string]any{"platform": map[string]any{"os": "unknown", "architecture": "unknown"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	pinned := fmt.Sprintf("sha256:%x", sha256.Sum256(index))
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/p/many/manifests/{ref}", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(index) })
	mux.HandleFunc("/v2/p/one/manifests/v1", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"config":{"digest":%q}}`, digest)
	})
	mux.HandleFunc("/v2/p/one/blobs/"+digest, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(config) })
	mux.HandleFunc("/v2/p/page/manifests/v1", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	mux.HandleFunc("/v2/p/broken/manifests/v1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "me" || password != "hush" || r.URL.Query().Get("scope") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"token":"t"}`)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ask == nil || r.URL.Path == "/token" || ask(w, r) {
			mux.ServeHTTP(w, r)
		}
	}), pinned
}

func me(string) (string, string) { return "me", "hush" }

func wantsBasic(w http.ResponseWriter, r *http.Request) bool {
	if name, password, _ := r.BasicAuth(); name == "me" && password == "hush" {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func wantsToken(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") == "Bearer t" {
		return true
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/token",service="s"`, r.Host))
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func TestArchitecturesOfAnImage(t *testing.T) {
	for name, c := range map[string]struct {
		image string
		ask   func(http.ResponseWriter, *http.Request) bool
		who   Credentials
		want  []string
		says  string
	}{
		"of a list, Linux alone":        {image: "p/many:v1", want: []string{"amd64", "arm64"}},
		"of a list, by its digest":      {image: "p/many:v1@PINNED", want: []string{"amd64", "arm64"}},
		"of another digest":             {image: "p/many@sha256:" + strings.Repeat("0", 64), says: "not the one of that digest"},
		"of one, by its configuration":  {image: "p/one:v1", want: []string{"amd64"}},
		"of one that is not there":      {image: "p/none:v1", says: "it is not there"},
		"of a page":                     {image: "p/page:v1", says: "is not a manifest"},
		"of a registry with a fault":    {image: "p/broken:v1", says: "502 Bad Gateway"},
		"with a name and password":      {image: "p/one:v1", ask: wantsBasic, who: me, want: []string{"amd64"}},
		"with a token":                  {image: "p/one:v1", ask: wantsToken, who: me, want: []string{"amd64"}},
		"without a name where it wants": {image: "p/one:v1", ask: wantsBasic, says: "wants a name and password"},
		"with a wrong name": {image: "p/one:v1", ask: wantsToken, who: func(string) (string, string) { return "x", "hush" },
			says: "ask for a token"},
		"of one it may not read": {image: "p/one:v1", says: "does not let", ask: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			handler, pinned := shelf(t, c.ask)
			server := httptest.NewTLSServer(handler)
			defer server.Close()
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			ref := strings.TrimPrefix(server.URL, "https://") + "/" + strings.ReplaceAll(c.image, "PINNED", pinned)
			got, err := Client{Roots: roots, Credentials: c.who}.Architectures(t.Context(), ref)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Error("the password is in the error")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARegistryWithAnUnknownCertificateIsNotAsked(t *testing.T) {
	handler, _ := shelf(t, nil)
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	_, err := Client{Roots: x509.NewCertPool()}.Architectures(t.Context(), strings.TrimPrefix(server.URL, "https://")+"/p/one:v1")
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Error(err)
	}
}

func TestARegistryOnThisMachineNeedsNoCertificate(t *testing.T) {
	handler, _ := shelf(t, nil)
	server := httptest.NewServer(handler)
	defer server.Close()
	got, err := Client{}.Architectures(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/p/one:v1")
	if err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAPasswordGoesNowhereInTheOpen(t *testing.T) {
	asked := false
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer open.Close()
	handler, _ := shelf(t, func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+open.URL+`/token",service="s"`)
		w.WriteHeader(http.StatusUnauthorized)
		return false
	})
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, err := Client{Roots: roots, Credentials: me}.Architectures(t.Context(), strings.TrimPrefix(server.URL, "https://")+"/p/one:v1")
	if err == nil || asked {
		t.Errorf("%v; the password was sent: %v", err, asked)
	}
}

func TestCredentialsAreThoseOfDocker(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("me:hu:sh"))
	config := []byte(`{"auths":{"m.io:5000":{"auth":"` + auth + `"},"https://index.docker.io/v1/":{"username":"d","password":"p"}}}`)
	for host, want := range map[string][2]string{"m.io:5000": {"me", "hu:sh"}, "docker.io": {"d", "p"}, "m.io": {}} {
		if name, password := find(config, host); name != want[0] || password != want[1] {
			t.Errorf("%s: %q, %q", host, name, password)
		}
	}
	if name, _ := find([]byte("{"), "m.io"); name != "" {
		t.Error("read from a file that is none")
	}
}
