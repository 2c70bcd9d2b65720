// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
)

func TestWhatAServerPresentsIsReadWhoeverSignedIt(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	address := strings.TrimPrefix(server.URL, "https://")
	got := Dial(t.Context(), address)
	want := certs.Describe(server.Certificate())
	if got.Certificate == nil || got.Certificate.Fingerprint != want.Fingerprint || got.At != address {
		t.Errorf("%+v", got)
	}
	server.Close()
	if got := Dial(t.Context(), address); got.Certificate != nil || got.Why == "" {
		t.Errorf("%+v", got)
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Files{Root: dir}.Open("pipe")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if _, err := (Files{Root: dir}).Open("../pipe"); err == nil {
		t.Error("a path outside of the root is opened")
	}
}

// Only the pod of a manifest counts: a tenant's that looks like it, and was started before or
// after, is not asked.
func TestAProgramThatWasStartedBeforeItsFile(t *testing.T) {
	written := time.Now().Truncate(time.Second)
	scheduler := func(created time.Time) critest.Pod {
		return critest.Pod{Name: "real", Source: "file", Namespace: "kube-system", Container: "kube-scheduler", Created: created}
	}
	tenants := critest.Pod{Name: "tenants", Namespace: "shop", Container: "kube-scheduler", Created: written.Add(time.Hour)}
	for name, c := range map[string]struct {
		pods []critest.Pod
		want certs.Served
	}{
		"before":                   {[]critest.Pod{scheduler(written.Add(-time.Millisecond))}, certs.Served{Before: true}},
		"after":                    {[]critest.Pod{scheduler(written.Add(time.Millisecond))}, certs.Served{}},
		"before, a tenant's after": {[]critest.Pod{tenants, scheduler(written.Add(-time.Minute))}, certs.Served{Before: true}},
		"a tenant's alone":         {[]critest.Pod{tenants}, certs.Served{Why: "no container kube-scheduler of a static pod runs"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := short(t)
			critest.Serve(t, filepath.Join(dir, "run/containerd/containerd.sock"), c.pods...)
			file := filepath.Join(dir, "scheduler.conf")
			if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, written, written)); err != nil {
				t.Fatal(err)
			}
			look := certs.Look{Rows: []certs.Row{{Name: "scheduler.conf", Where: "/scheduler.conf", Certificate: &certs.Certificate{}},
				{Name: "admin.conf", Certificate: &certs.Certificate{}}}}
			addPrograms(t.Context(), Files{Root: dir}, &look)
			got := look.Rows[0].Served
			if got == nil || got.Before != c.want.Before || got.Why != c.want.Why || got.At == "" || look.Rows[1].Served != nil {
				t.Errorf("%+v", look.Rows)
			}
		})
	}
}

// A runtime that does not answer proves nothing, and that is told.
func TestARuntimeThatIsNotThereIsSaid(t *testing.T) {
	look := certs.Look{Rows: []certs.Row{{Name: "controller-manager.conf", Certificate: &certs.Certificate{}}}}
	addPrograms(t.Context(), Files{Root: t.TempDir()}, &look)
	if got := look.Rows[0].Served; got == nil || got.Before || got.Why == "" {
		t.Errorf("%+v", got)
	}
}

// short is a directory whose path leaves room for the name of a socket.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "look")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
