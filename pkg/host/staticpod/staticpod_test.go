// SPDX-License-Identifier: Apache-2.0

package staticpod_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/staticpod"
)

func TestOnlyThePodOfAManifestIsTheProgram(t *testing.T) {
	at := time.Unix(1000, 0)
	real := critest.Pod{Name: "real", Source: "file", Namespace: "kube-system", Container: "kube-apiserver", Created: at}
	tenants := critest.Pod{Name: "tenants", Namespace: "shop", Container: "kube-apiserver", Created: at.Add(-time.Hour)}
	for name, c := range map[string]struct {
		pods  []critest.Pod
		fails string
	}{
		"the manifest's":                     {[]critest.Pod{real}, ""},
		"a tenant's that was started before": {[]critest.Pod{tenants, real}, ""},
		"a tenant's alone":                   {[]critest.Pod{tenants}, "no container kube-apiserver of a static pod runs"},
		"one of kube-system that the API has told": {[]critest.Pod{{Name: "api", Namespace: "kube-system", Container: "kube-apiserver"}},
			"no container"},
		"a static pod in another namespace": {[]critest.Pod{{Name: "other", Source: "file", Namespace: "shop", Container: "kube-apiserver"}},
			"no container"},
		"a container that has ended beside the one that runs": {[]critest.Pod{{Name: "ended", Source: "file", Namespace: "kube-system",
			Container: "kube-apiserver", Stopped: true}, real}, ""},
		"another program": {[]critest.Pod{{Name: "etcd", Source: "file", Namespace: "kube-system", Container: "etcd"}}, "no container"},
		"two manifests": {[]critest.Pod{real, {Name: "copy", Source: "file", Namespace: "kube-system", Container: "kube-apiserver"}},
			"2 containers kube-apiserver of static pods run"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			runtime := critest.Serve(t, socket, c.pods...)
			client := cri.New(socket)
			defer client.Close()
			programs, err := staticpod.Read(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			got, err := programs.Find("kube-apiserver")
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) ||
				err == nil && (got.ID != "c-real" || !got.Created.Equal(at)) {
				t.Errorf("%+v, %v", got, err)
			}
			want := []string{"c-real"}
			if c.fails != "" {
				want = nil
			}
			if err := staticpod.Restart(t.Context(), client, "kube-apiserver"); (err == nil) != (c.fails == "") ||
				!slices.Equal(runtime.Ended(), want) {
				t.Errorf("restarted %q, %v", runtime.Ended(), err)
			}
		})
	}
}

func TestARuntimeThatDoesNotAnswerIsSaid(t *testing.T) {
	client := cri.New(filepath.Join(t.TempDir(), "none"))
	defer client.Close()
	if err := staticpod.Restart(t.Context(), client, "etcd"); err == nil || !strings.Contains(err.Error(), "ask the container runtime") {
		t.Errorf("%v", err)
	}
}
