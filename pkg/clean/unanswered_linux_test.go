// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// unanswered has every look below a directory end with an error that is not "there is no
// such file": its file system has lost what serves it.
func (w *world) unanswered(dir string) {
	w.Helper()
	w.script("mkdir -p ." + dir)
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	hosttest.Must(w.T, err)
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
	hosttest.Must(w.T, unix.Mount("gone", w.dir+dir, "fuse", 0, options))
	hosttest.Must(w.T, dev.Close())
	if _, err := os.Lstat(w.dir + dir + "/x"); err == nil || os.IsNotExist(err) {
		w.Fatalf("it answers: %v", err)
	}
}

// What cannot be looked at is not "not there": no host is called clean for an error.
func TestAnErrorMakesNoHostClean(t *testing.T) {
	for name, plant := range map[string]func(w *world){
		"where the credentials were":      func(w *world) { w.unanswered("/etc/kubernetes") },
		"where the manifests were":        func(w *world) { w.unanswered("/etc/kubernetes/manifests") },
		"where the hold is":               func(w *world) { w.unanswered("/etc/systemd/system/kubelet.service.d") },
		"where the kubelet's flags are":   func(w *world) { w.script("mkdir -p etc/default; head -c 1100000 /dev/zero > etc/default/kubelet") },
		"where the kubelet's root was":    func(w *world) { w.unanswered("/var/lib/kubelet") },
		"where the plugins' state was":    func(w *world) { w.unanswered("/var/lib/cni") },
		"where the homes are":             func(w *world) { w.script("ln -s home home") },
		"who lives here":                  func(w *world) { w.script("head -c 1100000 /dev/zero > etc/passwd") },
		"where etcd's data was":           func(w *world) { w.unanswered("/var/lib/etcd") },
		"where the cgroups of pods were":  func(w *world) { w.script("mv sys/fs/cgroup sys/fs/cg; ln -s cgroup sys/fs/cgroup") },
		"what was written down":           func(w *world) { w.script("rm -r state"); w.unanswered("/state") },
		"when it joined":                  func(w *world) { w.script("head -c 100 /dev/zero > state/joined") },
		"which networks it had":           func(w *world) { w.script("echo '[' > state/signs.json") },
		"which cluster it was":            func(w *world) { w.script("echo '[' > state/cluster.json") },
		"where the kubelet had its files": func(w *world) { w.script("echo '[' > state/places.json") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				before := w.survey()
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Fatalf("verdict before: %+v", verdict)
				}
				plant(w)
				after, err := w.target().Survey(w.Context())
				if verdict := inventory.Verify(before, after); err == nil && verdict.State == inventory.Clean {
					w.Errorf("it is called clean; unchecked %v", after.Unchecked)
				}
			})
		})
	}
}

// Whether an earlier step wrote something down decides what the next one deletes: where
// that cannot be read, nothing is touched.
func TestARemovalThatCannotReadItsNotesChangesNothing(t *testing.T) {
	for name, plant := range map[string]func(w *world){
		"the directory does not answer": func(w *world) { w.script("rm -rf state"); w.unanswered("/state") },
		"the places are damaged":        func(w *world) { w.script("mkdir -p state; echo '[' > state/places.json") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				plant(w)
				before := w.dump()
				if _, err := w.target().Recipe().Run(w.Context(), nil); err == nil || len(w.ran) > 0 {
					w.Errorf("error %v, ran %v", err, w.ran)
				}
				w.same(before)
			})
		})
	}
}

// Whether a host can be the node again that it was, and whether something holds it, is
// asked before it is worked on: an error is neither yes nor no.
func TestAnErrorIsNoAnswerToWhetherAHostReturns(t *testing.T) {
	for dir, ask := range map[string]func(w *world) (bool, error){
		"/etc/kubernetes":                       func(w *world) (bool, error) { return w.target().Returns() },
		"/state":                                func(w *world) (bool, error) { return w.target().Returns() },
		"/etc/systemd/system/kubelet.service.d": func(w *world) (bool, error) { return w.target().Interrupted() },
		"/etc/cni/net.d":                        func(w *world) (bool, error) { return w.target().Interrupted() },
	} {
		t.Run(strings.ReplaceAll(dir, "/", " "), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				if _, err := ask(w); err != nil {
					w.Fatal(err)
				}
				w.unanswered(dir)
				if is, err := ask(w); err == nil {
					w.Errorf("it says %v", is)
				}
				if err := w.target().Restore(w.Context()); dir != "/state" && err == nil {
					w.Error("the way back says that it is whole")
				}
			})
		})
	}
}
