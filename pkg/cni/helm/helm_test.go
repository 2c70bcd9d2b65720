// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// secretsServer is an API server that knows the Secrets of one namespace.
func secretsServer(t *testing.T, secrets typedcorev1.SecretInterface) Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any
		var err error
		name := path.Base(r.URL.Path)
		switch {
		case r.Method == http.MethodPut:
			raw, _ := io.ReadAll(r.Body)
			secret, _, bad := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil) // protobuf
			if err = bad; err == nil {
				answer, err = secrets.Update(r.Context(), secret.(*corev1.Secret), metav1.UpdateOptions{}) //nolint:forcetypeassert // by the path
			}
		case name == "secrets":
			answer, err = secrets.List(r.Context(), metav1.ListOptions{LabelSelector: r.URL.Query().Get("labelSelector")})
		default:
			answer, err = secrets.Get(r.Context(), name, metav1.GetOptions{})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	return Client{Getter: only{url: server.URL}}
}

// only is a Getter for those who need no more than an address.
type only struct {
	Getter
	url string
}

func (o only) ToRESTConfig() (*rest.Config, error) { return &rest.Config{Host: o.url}, nil }

func revision(version int, status helmrelease.Status, values map[string]any) *helmrelease.Release {
	return &helmrelease.Release{
		Name: "flannel", Namespace: "kube-flannel", Version: version, Config: values,
		Info:  &helmrelease.Info{Status: status, LastDeployed: helmtime.Time{Time: time.Unix(100, 0)}},
		Chart: &chart.Chart{Metadata: &chart.Metadata{Name: "flannel", Version: "v0.28.4"}},
	}
}

func TestHelmFindsTheNewestRevisionAndTheLastGoodValues(t *testing.T) {
	cases := map[string]struct {
		history  []*helmrelease.Release
		revision int
		status   release.Status
		backend  any
	}{
		"none": {},
		"one that is deployed": {
			history: []*helmrelease.Release{revision(1, helmrelease.StatusDeployed,
				map[string]any{"backend": "udp"})}, revision: 1, status: release.Deployed, backend: "udp",
		},
		"one that was never deployed has no values worth keeping": {
			history: []*helmrelease.Release{revision(1, helmrelease.StatusPendingInstall,
				map[string]any{"backend": "udp"})}, revision: 1, status: release.PendingInstall,
		},
		"a half-made upgrade keeps those from before": {
			history: []*helmrelease.Release{
				revision(1, helmrelease.StatusDeployed, map[string]any{"backend": "udp"}),
				revision(2, helmrelease.StatusPendingUpgrade, map[string]any{"backend": "bad"}),
			},
			revision: 2, status: release.PendingUpgrade, backend: "udp",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			secrets := fake.NewClientset().CoreV1().Secrets("kube-flannel")
			for _, r := range c.history {
				if err := storage.Init(driver.NewSecrets(secrets)).Create(r); err != nil {
					t.Fatal(err)
				}
			}
			got, err := secretsServer(t, secrets).Find(t.Context(), "kube-flannel", "flannel")
			if err != nil {
				t.Fatal(err)
			}
			if got.Revision != c.revision || got.Status != c.status || got.Values["backend"] != c.backend {
				t.Errorf("%+v", got)
			}
			if c.revision > 0 && (got.Version != "v0.28.4" || got.Digest == "" || !got.Updated.Equal(time.Unix(100, 0))) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestHelmUnlocksAHalfMadeRelease(t *testing.T) {
	secrets := fake.NewClientset().CoreV1().Secrets("kube-flannel")
	if err := storage.Init(driver.NewSecrets(secrets)).Create(revision(1, helmrelease.StatusPendingInstall, nil)); err != nil {
		t.Fatal(err)
	}
	helm := secretsServer(t, secrets)
	found, err := helm.Find(t.Context(), "kube-flannel", "flannel")
	if err != nil {
		t.Fatal(err)
	}
	if err := helm.Unlock(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	after, err := helm.Find(t.Context(), "kube-flannel", "flannel")
	if err != nil || after.Status != release.Failed || after.Revision != 1 {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestHelmSaysSoOfAnUnknownDriver(t *testing.T) {
	_, err := Client{Getter: only{}, Driver: "paper"}.Find(t.Context(), "n", "r")
	if err == nil || !strings.Contains(err.Error(), `unknown driver "paper"`) {
		t.Error(err)
	}
}

func TestQuietGivesTheLoggerBack(t *testing.T) {
	before := log.Writer()
	loud := quiet()
	if log.Writer() != io.Discard {
		t.Error("it is not quiet")
	}
	if loud(); log.Writer() != before {
		t.Error("it stays quiet")
	}
}
