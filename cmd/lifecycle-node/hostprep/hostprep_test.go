// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostlock"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// empty gives the namespace a host on which nothing can be changed but files of its own:
// no program is found, and the kernel's settings are read-only.
func empty(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"/etc", "/run", "/var/lib"} {
		hosttest.Must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	}
	hosttest.Must(t, unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""))
	hosttest.Must(t, unix.Mount("", "/proc/sys", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	t.Setenv("PATH", "/var/lib")
}

func put(t *testing.T, path, content string) {
	t.Helper()
	hosttest.Must(t, os.WriteFile(path, []byte(content), 0o600))
}

// TestAHostThatMayBeANodeIsNotChanged: a cgroup driver, forwarding or swap that changes
// under a kubelet takes its pods along, and the cluster that it belongs to may be another.
func TestAHostThatMayBeANodeIsNotChanged(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		empty(t)
		hosttest.Must(t, os.MkdirAll("/etc/kubernetes", 0o755))
		hosttest.Must(t, os.MkdirAll("/var/lib/kubectl-lifecycle-prep", 0o700))
		put(t, "/etc/kubernetes/kubelet.conf", "x")
		put(t, "/etc/fstab", "UUID=1 none swap sw 0 0\n")
		out, err := Do(t.Context(), prep.Order{Apply: true}, plan.Discard, report.Talk{})
		if err != nil || len(out.Made) != 0 || !out.Report.Blocked() || len(out.Report.Changes()) == 0 {
			t.Errorf("made %v, %v", out.Made, err)
		}
		if raw, err := os.ReadFile("/etc/fstab"); err != nil || string(raw) != "UUID=1 none swap sw 0 0\n" {
			t.Errorf("%q, %v", raw, err)
		}
		put(t, "/etc/x", "ours")
		put(t, "/var/lib/kubectl-lifecycle-prep/changes.json",
			`[{"change":{"kind":"file","path":"/etc/x","content":"ours"},"before":{"there":true,"content":"before","mode":384}}]`)
		if _, err := Do(t.Context(), prep.Order{Undo: true, Apply: true}, plan.Discard, report.Talk{}); plan.ClassOf(err) != plan.Refused ||
			plan.HintOf(err) == "" {
			t.Errorf("an undo under a node: %v", err)
		}
		if raw, err := os.ReadFile("/etc/x"); err != nil || string(raw) != "ours" {
			t.Errorf("%q, %v", raw, err)
		}
		hosttest.Must(t, os.Remove("/etc/kubernetes/kubelet.conf"))
		if out, err := Do(t.Context(), prep.Order{Undo: true, Apply: true}, plan.Discard, report.Talk{}); err != nil || len(out.Undone) != 1 {
			t.Errorf("%+v, %v", out, err)
		}
		if raw, err := os.ReadFile("/etc/x"); err != nil || string(raw) != "before" {
			t.Errorf("%q, %v", raw, err)
		}
	})
}

// TestWhatABareResetLeavesIsFound: kubeadm reset takes kubeadm's files away, and leaves
// what the network has made (flannel-io/flannel#820). A manifest alone is no cluster's.
func TestWhatABareResetLeavesIsFound(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		empty(t)
		if facts := look(t.Context(), prep.Wanted{}); len(facts.Leftovers) != 0 || facts.Unread["leftovers"] != "" {
			t.Fatalf("on an empty host: %v, %q", facts.Leftovers, facts.Unread)
		}
		hosttest.Must(t, os.MkdirAll("/etc/kubernetes/manifests", 0o755))
		put(t, "/etc/kubernetes/manifests/nginx-proxy.yml", "kind: Pod")
		facts := look(t.Context(), prep.Wanted{})
		if facts.MayBeNode() || len(facts.Leftovers) != 0 || len(facts.Manifests) != 1 {
			t.Errorf("a manifest: %v, %v, %v", facts.Traces, facts.Leftovers, facts.Manifests)
		}
		hosttest.Must(t, os.MkdirAll("/run/flannel", 0o755))
		put(t, "/run/flannel/subnet.env", "")
		hosttest.Must(t, os.MkdirAll("/var/lib/cni/networks/cbr0", 0o755))
		bridge := netlink.NewLinkAttrs()
		bridge.Name = "cni0"
		hosttest.Must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: bridge}))
		facts = look(t.Context(), prep.Wanted{})
		if !slices.Contains(facts.LeftLinks, "cni0") || !slices.Contains(facts.Leftovers, "directory /run/flannel") ||
			slices.ContainsFunc(facts.Leftovers, func(s string) bool { return strings.Contains(s, "nginx-proxy") }) {
			t.Errorf("%v, %v", facts.LeftLinks, facts.Leftovers)
		}
		hosttest.Must(t, os.RemoveAll("/run/flannel"))
		hosttest.Must(t, os.RemoveAll("/var/lib/cni"))
		if facts = look(t.Context(), prep.Wanted{}); !slices.Contains(facts.LeftLinks, "cni0") {
			t.Errorf("a bridge alone: %v, %v", facts.LeftLinks, facts.Leftovers)
		}
		if facts = look(t.Context(), prep.Wanted{Joined: true}); len(facts.Leftovers) != 0 {
			t.Errorf("on a node: %v", facts.Leftovers)
		}
	})
}

// TestOneAtATimeChangesAHost: two at once would write over each other's ledger, and what
// one of them has changed could not be taken back.
func TestOneAtATimeChangesAHost(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		empty(t)
		unlock, err := alone(t.Context())
		hosttest.Must(t, err)
		if _, err := Do(t.Context(), prep.Order{Undo: true, Apply: true}, plan.Discard, report.Talk{}); plan.ClassOf(err) != plan.Refused ||
			plan.HintOf(err) == "" {
			t.Errorf("a second one: %v", err)
		}
		if _, err := Do(t.Context(), prep.Order{}, plan.Discard, report.Talk{}); err != nil {
			t.Errorf("one that only looks: %v", err)
		}
		unlock()
		if _, err := os.Lstat(hostlock.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is left: %v", err)
		}
		if _, err := Do(t.Context(), prep.Order{Undo: true, Apply: true}, plan.Discard, report.Talk{}); err != nil {
			t.Errorf("after the first: %v", err)
		}
	})
}

// TestAJoinThatFailsTellsWhatWasPrepared: a person who wants to take it back must know.
func TestAJoinThatFailsTellsWhatWasPrepared(t *testing.T) {
	why := plan.Refuse(errors.New("[ERROR Port-10250]"), "mend that")
	if raw, err := failed(prep.Joined{}, why); raw != nil || !errors.Is(err, why) {
		t.Errorf("where nothing was changed: %s, %v", raw, err)
	}
	changed := prep.Joined{Outcome: prep.Outcome{Made: []string{"write /etc/x"}}}
	for name, c := range map[string]struct {
		err    error
		wayOut string
	}{"it is refused": {why, "mend that"}, "it fails": {plan.Begun(errors.New("timed out")), "prep --undo"}} {
		var out prep.Joined
		raw, err := failed(changed, c.err)
		hosttest.Must(t, errors.Join(err, json.Unmarshal(raw, &out)))
		if out.Failed != c.err.Error() || !strings.Contains(out.WayOut, c.wayOut) || len(out.Outcome.Made) != 1 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

// What a join that was killed has left goes with the next one, and nothing else does.
func TestWhatAKilledJoinLeftGoes(t *testing.T) {
	dir := t.TempDir()
	for path, content := range map[string]string{"kubectl-lifecycle-join.1/join.json": "token", "kubectl-lifecycle-join.2/join.json": "token",
		"kubectl-lifecycle-join.2/other": "kept", "elsewhere/join.json": "kept"} {
		hosttest.Must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
		hosttest.Must(t, os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600))
	}
	hosttest.Must(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "kubectl-lifecycle-join.3")))
	hosttest.Must(t, forget(dir))
	hosttest.Must(t, forget(dir)) // and once more
	var left []string
	hosttest.Must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if raw, _ := os.ReadFile(path); d.Type().IsRegular() && string(raw) == "kept" {
			left = append(left, strings.TrimPrefix(path, dir+"/"))
		} else if d.Type().IsRegular() {
			t.Errorf("left: %s", path)
		}
		return err
	}))
	if want := []string{"elsewhere/join.json", "kubectl-lifecycle-join.2/other"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

// A control plane that has not arrived may have the authorities' keys.
func TestAControlPlaneThatHasNotJoinedIsSaidToHoldKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		key  string
		err  error
		want []string
	}{
		"a worker":                         {"", errors.New("x"), nil},
		"a control plane":                  {"k", errors.New("x"), []string{"keys of the cluster's authorities", "lifecycle-node clean"}},
		"a control plane with its own way": {"k", plan.Hint(errors.New("x"), "look at etcd"), []string{"look at etcd", "keys of the cluster's"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := begun(kubeadm.Join{CertificateKey: tc.key}, tc.err)
			for _, want := range tc.want {
				if !strings.Contains(plan.HintOf(err), want) {
					t.Errorf("hint %q, want %q in it", plan.HintOf(err), want)
				}
			}
			if tc.want == nil && plan.HintOf(err) != "" || plan.ClassOf(err) != plan.ClassOf(plan.Begun(tc.err)) {
				t.Errorf("class %v, hint %q", plan.ClassOf(err), plan.HintOf(err))
			}
		})
	}
}
