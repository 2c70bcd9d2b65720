// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// foundry is a host whose kubeadm makes an authority, and fails where it is told to.
type foundry struct {
	dir   string
	calls []string
	fails map[string]error // by the beginning of the arguments
}

func (f *foundry) init(t *testing.T) Init {
	t.Helper()
	if f.dir == "" {
		f.dir = t.TempDir()
	}
	return Init{File: "/init.yaml", Documents: Documents{[]byte(`{"kind": "ClusterConfiguration"}`), []byte(initDocument)},
		Host: host.Local{Root: f.dir, Exec: func(_ context.Context, c host.Command) (string, error) {
			call := strings.Join(c.Args, " ")
			f.calls = append(f.calls, call)
			for begin, err := range f.fails {
				if strings.HasPrefix(call, begin) {
					return "", err
				}
			}
			if info, err := os.Stat(filepath.Join(f.dir, "init.yaml")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the configuration: %v, %v", info, err)
			}
			if strings.HasPrefix(call, "init phase certs ca") {
				f.put(t, "/etc/kubernetes/pki/ca.crt", "authority 1")
			}
			return "", nil
		}}}
}

func (f *foundry) put(t *testing.T, path, content string) {
	t.Helper()
	path = filepath.Join(f.dir, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func standing(t *testing.T, i Init) Founding {
	t.Helper()
	s, _, _, err := i.Look()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAnInitThatWasCutGoesOnWhereItWas: the authority is made and noted before there is
// anything else of the cluster, and kubeadm's checks are for a blank host.
func TestAnInitThatWasCutGoesOnWhereItWas(t *testing.T) {
	f := foundry{fails: map[string]error{"init --config": errors.New("killed")}}
	i := f.init(t)
	if standing(t, i) != Blank {
		t.Fatal("a blank host is none")
	}
	if err := i.Do(t.Context(), []byte("x"), Settings{Endpoint: "a:6443"}); err == nil {
		t.Fatal("no error")
	}
	if standing(t, i) != HalfMade {
		t.Error("it is not half made")
	}
	f.fails, f.calls = nil, nil
	if err := i.Do(t.Context(), []byte("x"), Settings{Endpoint: "a:6443", skip: []string{"addon/kube-proxy"}}); err != nil {
		t.Fatal(err)
	}
	if len(f.calls) != 1 || !strings.Contains(f.calls[0], "--skip-phases preflight,addon/kube-proxy") ||
		!strings.Contains(f.calls[0], "--skip-token-print") {
		t.Errorf("calls %q", f.calls)
	}
	s, settings, differs, err := i.Look()
	if s != Made || settings.Endpoint != "a:6443" || differs || err != nil {
		t.Errorf("%v, %+v, %v, %v", s, settings, differs, err)
	}
	i.Documents = Documents{[]byte(`{}`)}
	if _, _, differs, _ := i.Look(); !differs {
		t.Error("other settings are not told from these")
	}
	if _, err := os.Stat(filepath.Join(f.dir, "init.yaml")); !os.IsNotExist(err) {
		t.Errorf("the configuration is still there: %v", err)
	}
}

// TestAnInitThatDiedBeforeItsNoteWasCompleteGoesOn: between the note, the authority and its
// fingerprint. What is more than an authority is not this one's.
func TestAnInitThatDiedBeforeItsNoteWasCompleteGoesOn(t *testing.T) {
	for name, tc := range map[string]struct {
		more string // is there besides
		ca   []string
		want Founding
	}{
		"before the authority":              {"", nil, Blank},
		"with the authority's key alone":    {"", []string{"ca.key"}, HalfMade},
		"after the authority":               {"", []string{"ca.crt", "ca.key"}, HalfMade},
		"while a note was written":          {CertificatesDir + "/" + noteTemp + "123", []string{"ca.crt", "ca.key"}, HalfMade},
		"and kubeadm by hand":               {"/etc/kubernetes/admin.conf", []string{"ca.crt", "ca.key"}, Blank},
		"and certificates by hand":          {CertificatesDir + "/apiserver.crt", []string{"ca.crt", "ca.key"}, Blank},
		"and a static pod is there":         {"/etc/kubernetes/manifests/proxy.yaml", []string{"ca.crt", "ca.key"}, Blank},
		"and a node of another cluster now": {"/etc/kubernetes/kubelet.conf", []string{"ca.crt"}, Blank},
	} {
		t.Run(name, func(t *testing.T) {
			f := foundry{fails: map[string]error{"init phase certs ca": errors.New("killed")}}
			i := f.init(t)
			if err := i.Do(t.Context(), []byte("x"), Settings{Endpoint: "a:6443"}); err == nil {
				t.Fatal("no error")
			}
			for _, file := range tc.ca {
				f.put(t, CertificatesDir+"/"+file, "authority 1")
			}
			if tc.more != "" {
				f.put(t, tc.more, "x")
			}
			if got := standing(t, i); got != tc.want {
				t.Fatalf("it is %v, want %v", got, tc.want)
			}
			if f.fails, f.calls = nil, nil; tc.want != HalfMade {
				return
			}
			if err := i.Do(t.Context(), []byte("x"), Settings{Endpoint: "a:6443"}); err != nil || standing(t, i) != Made {
				t.Errorf("%v", err)
			}
			if slices.ContainsFunc(f.calls, func(c string) bool { return strings.Contains(c, "phase preflight") }) {
				t.Errorf("kubeadm's checks are for a blank host: %q", f.calls)
			}
		})
	}
}

// TestANoteOfAClusterThatIsGoneCountsForNothing: the host has been cleaned, and is a
// control plane of another cluster by now.
func TestANoteOfAClusterThatIsGoneCountsForNothing(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *foundry){
		"another authority": func(t *testing.T, f *foundry) { t.Helper(); f.put(t, "/etc/kubernetes/pki/ca.crt", "authority 2") },
		"none": func(t *testing.T, f *foundry) {
			t.Helper()
			if err := os.Remove(filepath.Join(f.dir, "/etc/kubernetes/pki/ca.crt")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := foundry{}
			i := f.init(t)
			if err := i.Do(t.Context(), nil, Settings{}); err != nil || standing(t, i) != Made {
				t.Fatal(err)
			}
			change(t, &f)
			if got := standing(t, i); got != Blank {
				t.Errorf("it is %v", got)
			}
		})
	}
}

func TestAnInitThatKubeadmRefusesHasChangedNothing(t *testing.T) {
	f := foundry{fails: map[string]error{"init phase preflight": &host.CommandError{Err: errors.New("exit status 1"),
		Output: "[preflight] Running\n\t[ERROR NumCPU]: the number of available CPUs 1 is less than the required 2\n"}}}
	i := f.init(t)
	err := i.Do(t.Context(), nil, Settings{})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--ignore-preflight-errors NumCPU") ||
		!strings.Contains(err.Error(), "the number of available CPUs") {
		t.Errorf("%v, %q", err, plan.HintOf(err))
	}
	if standing(t, i) != Blank || slices.ContainsFunc(f.calls, func(c string) bool { return strings.Contains(c, "certs") }) {
		t.Errorf("calls %q", f.calls)
	}
}

// TestTheFirstTokenIsOneThatKubeadmTakes: k8s.io/cluster-bootstrap, token/api.
func TestTheFirstTokenIsOneThatKubeadmTakes(t *testing.T) {
	one := token()
	id, secret, _ := strings.Cut(one, ".")
	if len(id) != 6 || len(secret) != 16 || strings.Trim(id+secret, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || one == token() {
		t.Error("it is none")
	}
}
