// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
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

// TestAProgramThatWasStartedBeforeItsFile: this process itself has a start that is known.
func TestAProgramThatWasStartedBeforeItsFile(t *testing.T) {
	started, err := startOf("/proc/" + strconv.Itoa(os.Getpid()))
	if err != nil || time.Since(started) < 0 || time.Since(started) > time.Hour {
		t.Fatalf("started %v, %v", started, err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "scheduler.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{time.Minute: true, -time.Minute: false, 0: false} {
		if err := os.Chtimes(file, time.Time{}, started.Add(after)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(Process{1, started}, info.ModTime()); got.Before != want {
			t.Errorf("%s: %+v", after, got)
		}
	}
	if got := before(Files{Root: dir}, certs.Row{Name: "scheduler.conf", Where: "/scheduler.conf"}); got != nil {
		t.Errorf("no program runs: %+v", got)
	}
}

// TestAProgramOfTheSameNameIsNoStaticPod: this process is not in a pod, and a program that is
// must have the flags of the manifest, all of them and no others.
func TestAProgramOfTheSameNameIsNoStaticPod(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"comm": "kube-controller\n", "cgroup": "0::/kubepods.slice/x\n",
		"cmdline": "kube-controller-manager\x00--a=b\x00--c\x00"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		program string
		flags   map[string]string
		want    bool
	}{
		"the manifest's":  {"kube-controller-manager", map[string]string{"a": "b", "c": ""}, true},
		"a flag more":     {"kube-controller-manager", map[string]string{"a": "b"}, false},
		"a flag less":     {"kube-controller-manager", map[string]string{"a": "b", "c": "", "d": ""}, false},
		"another value":   {"kube-controller-manager", map[string]string{"a": "x", "c": ""}, false},
		"another program": {"etcd", map[string]string{"a": "b", "c": ""}, false},
	} {
		if got := runs(dir, c.program, c.flags); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte("0::/system.slice/etcd.service\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if runs(dir, "kube-controller-manager", map[string]string{"a": "b", "c": ""}) {
		t.Error("a unit of the host is taken for a static pod")
	}
}

// A later process that looks like the program of a static pod hides none that runs on.
func TestTheFirstOfSeveralProcessesCounts(t *testing.T) {
	at := time.Unix(1000, 0)
	old, late := Process{1, at}, Process{2, at.Add(time.Minute)}
	for name, got := range map[string]Process{
		"the old one first": Process{}.earlier(old).earlier(late), "the late one first": Process{}.earlier(late).earlier(old),
	} {
		if got != old {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
