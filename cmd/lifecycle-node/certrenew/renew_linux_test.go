// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// bed is a host of three certificates, whose contents are their fingerprints, and of the
// programs that use them.
type bed struct {
	t    *testing.T
	root string
	// uses are the contents that each program has read.
	uses map[string]string
	// reloads says that the API server reads its own again, breaks that it does not start
	// with a new one.
	reloads, breaks bool
	sick, busy      error
	mute            error // of the kubelet
	restarted       []string
}

func files() map[string]string {
	return map[string]string{"apiserver": "/etc/kubernetes/pki/apiserver.crt", "scheduler.conf": "/etc/kubernetes/scheduler.conf",
		"admin.conf": "/etc/kubernetes/admin.conf"}
}

const apiserverKey = "/etc/kubernetes/pki/apiserver.key"

// authorities are the keys that no renewal changes, and no backup of one holds.
func authorities() []string {
	return []string{"/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/front-proxy-ca.key", "/etc/kubernetes/pki/etcd/ca.key",
		"/etc/kubernetes/pki/sa.key"}
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, root: t.TempDir(), uses: map[string]string{"apiserver": "old", "scheduler.conf": "old"}, reloads: true}
	for _, path := range files() {
		b.write(path, "old")
	}
	for _, path := range authorities() {
		b.write(path, "secret")
	}
	b.write(apiserverKey, "key of old")
	if err := os.MkdirAll(filepath.Join(b.root, "var"), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) write(path, content string) {
	b.t.Helper()
	at := filepath.Join(b.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(content), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) read(path string) string {
	raw, err := os.ReadFile(filepath.Join(b.root, path))
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// look is the host as its files and programs are.
func (b *bed) look(context.Context) (look certs.Look) {
	for _, name := range []string{"admin.conf", "apiserver", "scheduler.conf"} {
		content := b.read(files()[name])
		if name == "apiserver" && (b.reloads || b.uses[name] == "" && content == "old") {
			b.uses[name] = content // the kubelet tries to start what does not run
		}
		row := certs.Row{Name: name, Where: files()[name], Certificate: &certs.Certificate{Fingerprint: content}}
		if strings.HasPrefix(content, "bad") {
			row.Faults = []string{"its key does not match it"}
		}
		switch name {
		case "apiserver":
			row.Served = &certs.Served{Certificate: &certs.Certificate{Fingerprint: b.uses[name]}}
			if b.uses[name] == "" {
				row.Served = &certs.Served{Why: "connection refused"}
			}
		case "scheduler.conf":
			row.Served = &certs.Served{Before: b.uses[name] != content}
		}
		look.Rows = append(look.Rows, row)
	}
	return look
}

func (b *bed) restart(_ context.Context, name string) error {
	b.restarted = append(b.restarted, name)
	row := map[string]string{"kube-apiserver": "apiserver", "kube-scheduler": "scheduler.conf"}[name]
	b.uses[row] = b.read(files()[row])
	if row == "apiserver" && b.breaks && b.uses[row] != "old" {
		b.uses[row] = ""
	}
	return nil
}

// renewal is one on this host; kubeadm writes what is given for each name.
func (b *bed) renewal(kubeadm func(name string) (string, error), names ...string) *renewal {
	r := newRenewal(certs.Renewal{Names: names, Wish: certs.Wish{Names: names}}, func() (func(), error) { return func() {}, b.busy })
	r.host = host.Local{Root: b.root}
	r.look, r.restart, r.health = b.look, b.restart, func(context.Context, bool) error { return b.sick }
	r.kubelet = func(context.Context) error { return b.mute }
	r.etcd = func(context.Context, func(int64) (io.Writer, error)) (bool, error) { return false, nil }
	r.kubeadm = func(_ context.Context, name string) error {
		content, err := kubeadm(name)
		if err == nil || content != "" {
			b.write(files()[name], content)
		}
		if name == "apiserver" {
			b.write(apiserverKey, "key of "+content)
		}
		return err
	}
	return r
}

func good(string) (string, error) { return "new", nil }

func TestARenewal(t *testing.T) {
	all := []string{"admin.conf", "apiserver", "scheduler.conf"}
	broken := errors.New("no space left on device")
	for name, c := range map[string]struct {
		names     []string
		kubeadm   func(string) (string, error)
		change    func(b *bed)
		content   string // of all files afterwards
		restarted []string
		fails     string
		restored  bool
		untouched bool
	}{
		"it restarts what reads its certificate once": {all, good, nil, "new", []string{"kube-scheduler"}, "", false, false},
		"an API server that does not read its own again": {all, good, func(b *bed) { b.reloads = false }, "new",
			[]string{"kube-scheduler", "kube-apiserver"}, "", false, false},
		"kubeadm fails in the middle": {all, func(name string) (string, error) {
			if name == "apiserver" {
				return "x", broken
			}
			return "new", nil
		}, nil, "old", nil, "no space left", true, false},
		"a key that does not match": {all, func(string) (string, error) { return "bad", nil }, nil, "old", nil, "are not good", true, false},
		"kubeadm changes nothing": {all, func(string) (string, error) { return "old", nil }, nil, "old", nil, "the same as before", true,
			false},
		"an API server that does not come back": {all, good, func(b *bed) { b.reloads, b.breaks = false, true }, "old",
			[]string{"kube-scheduler", "kube-apiserver", "kube-scheduler"}, "kube-apiserver does not use the certificate", true, false},
		"it is not well before": {all, good, func(b *bed) { b.sick = errors.New("etcd has no leader") }, "old", nil,
			"is not touched: etcd has no leader", false, true},
		"the kubelet does not answer": {all, good, func(b *bed) { b.mute = errors.New("the kubelet does not answer") }, "old", nil,
			"no program could be restarted: the kubelet does not answer", false, true},
		"there is no place for a backup": {all, good, func(b *bed) { b.write("/var/backups", "a file") }, "old", nil,
			"back the certificates up", false, true},
		"another program changes the host": {all, good, func(b *bed) { b.busy = errors.New("a run works on this host") }, "old", nil,
			"a run works on this host", false, true},
		"a link that leads nowhere": {all, good, func(b *bed) { b.link("/etc/kubernetes/pki/apiserver.key", "/nowhere") }, "old", nil,
			"back the certificates up", false, true},
		"a link to what is no file": {all, good, func(b *bed) { b.link("/etc/kubernetes/pki/apiserver.key", "/var") }, "old", nil,
			"which is not a regular file", false, true},
		"a name that is none": {[]string{"--help"}, good, nil, "old", nil, "is no certificate that kubeadm renews", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				if c.change != nil {
					c.change(b)
				}
				out := b.renewal(c.kubeadm, c.names...).do(t.Context())
				if (out.Error == "") != (c.fails == "") || !strings.Contains(out.Error, c.fails) || out.Restored != c.restored ||
					out.Changed == c.untouched {
					t.Errorf("%+v", out)
				}
				for _, path := range files() {
					if got := b.read(path); got != c.content {
						t.Errorf("%s is %q, want %q", path, got, c.content)
					}
				}
				slices.Sort(b.restarted)
				slices.Sort(c.restarted)
				if !slices.Equal(b.restarted, c.restarted) || b.uses["scheduler.conf"] != c.content {
					t.Errorf("restarted %q, in use %q", b.restarted, b.uses)
				}
				b.leftovers(out, c.untouched)
			})
		})
	}
}

// leftovers checks that the backup is for root alone and holds what was there, and that
// nothing else is left.
func (b *bed) leftovers(out certs.Outcome, untouched bool) {
	b.t.Helper()
	for _, dir := range []string{"/etc/kubernetes/pki/.*", "/etc/kubernetes/.*", "/var/backups/kubectl-lifecycle/.*"} {
		if near, _ := filepath.Glob(b.root + dir); len(near) > 0 {
			b.t.Errorf("left: %q", near)
		}
	}
	for _, path := range authorities() {
		if kept, _ := filepath.Glob(b.root + "/var/backups/kubectl-lifecycle/*" + path); len(kept) > 0 || b.read(path) != "secret" {
			b.t.Errorf("the key of an authority was copied to %q, or changed", kept)
		}
	}
	if untouched {
		if out.Backup != "" {
			b.t.Errorf("backup %s", out.Backup)
		}
		return
	}
	info, err := os.Stat(filepath.Join(b.root, out.Backup))
	if err != nil || info.Mode().Perm() != 0o700 || b.read(out.Backup+"/etc/kubernetes/pki/apiserver.crt") != "old" ||
		b.read(out.Backup+apiserverKey) != "key of old" {
		b.t.Errorf("%v, %v", info, err)
	}
}

func TestAnInterruptedRenewalIsFinishedByRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		for _, path := range files() {
			b.write(path, "new")
		}
		out := b.renewal(good).do(t.Context())
		if out.Error != "" || out.Backup != "" || !slices.Equal(b.restarted, []string{"kube-scheduler"}) || b.uses["scheduler.conf"] != "new" {
			t.Errorf("%+v, %q", out, b.restarted)
		}
		if again := b.renewal(good).do(t.Context()); again.Error != "" || len(b.restarted) != 1 {
			t.Errorf("a second time: %+v, %q", again, b.restarted)
		}
	})
}

func TestAWayBackThatFailsIsSaidAndGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		r := b.renewal(func(string) (string, error) { b.sick = errors.New("no leader"); return "new", nil }, "apiserver")
		out := r.do(t.Context())
		if out.Restored || !strings.Contains(out.Error, "the way back failed, too") || !strings.Contains(out.Hint, out.Backup) {
			t.Errorf("%+v", out)
		}
		if look := certs.Read(certlook.Files{Root: b.root}, certs.Layout{ControlPlane: true}); !look.Unfinished ||
			!strings.Contains(look.Why, "no leader; and the way back failed, too") {
			t.Errorf("the host says %q", look.Why)
		}
		if got := b.read(files()["apiserver"]); got != "old" {
			t.Errorf("%q", got)
		}
		b.sick = nil
		if out := b.renewal(good).do(t.Context()); out.Error != "" {
			t.Errorf("the next call: %+v", out)
		}
		b.leftovers(out, false)
	})
}

func TestWhatDoesNotRunIsNotTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.reloads, b.uses["apiserver"] = false, ""
		b.write(files()["apiserver"], "older")
		out := b.renewal(good, "apiserver").do(t.Context())
		if out.Changed || !strings.Contains(out.Error, "kube-apiserver is not found running") || b.read(files()["apiserver"]) != "older" {
			t.Errorf("%+v", out)
		}
	})
}

func TestWhatKubeadmSaysIsTold(t *testing.T) {
	err := told(fmt.Errorf("run: %w", &host.CommandError{Command: "kubeadm", Err: errors.New("exit status 1"),
		Output: "error: the key does not match\nTo see the stack trace of this error execute with --v=5 or higher\n"}))
	if got := err.Error(); got != "kubeadm: exit status 1: error: the key does not match" {
		t.Errorf("%q", got)
	}
	if other := errors.New("other"); !errors.Is(told(other), other) {
		t.Error("another error is not as it was")
	}
}
