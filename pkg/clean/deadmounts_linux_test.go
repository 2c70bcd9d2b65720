// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// stuck mounts a file system at a path that never answers, as one of a dead server.
func (w *world) stuck(dir string) {
	w.Helper()
	w.script("mkdir -p ." + dir)
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	hosttest.Must(w.T, err)
	w.Cleanup(func() { _ = dev.Close() })
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
	hosttest.Must(w.T, unix.Mount("dead", w.dir+dir, "fuse.dead", 0, options))
}

// However deep a dead mount is below a directory that is looked at: the look ends, names
// it or what it is in, and nothing is called clean; a removal does not hang either.
func TestADeadMountAnywhereBelowWhatIsLookedAtHoldsNothingUp(t *testing.T) {
	for dir, refused := range map[string]bool{
		"/etc/kubernetes/theirs/deep": false, "/etc/kubernetes/pki/theirs": true, "/etc/kubernetes/pki/etcd/theirs": true,
		"/etc/kubernetes/manifests/theirs": true, "/etc/cni/net.d/theirs": false, "/etc/cni/net.d/theirs/deep": false,
		"/opt/cni/bin/theirs": false, "/var/lib/cni/networks/theirs": false, "/var/lib/cni/theirs": false, "/var/lib/kubelet/theirs": false,
		"/var/lib/kubelet/pki/theirs": false, "/var/lib/kubelet/plugins/theirs/deep": false, "/var/log/pods/theirs": true,
		"/run/flannel/theirs": true, "/var/lib/kubelet": true, "/var/lib/kubelet/pods": true, "/var/lib/kubelet/plugins": true,
		"/var/lib/kubelet/pods/" + uid + "/volumes/kubernetes.io~nfs/x": false,
	} {
		t.Run(strings.ReplaceAll(dir, "/", " "), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("mkdir -p ." + dir)
				before := w.dump()
				w.stuck(dir)
				type outcome struct {
					inv inventory.Inventory
					err error
				}
				looked := make(chan outcome, 1)
				go func() {
					inv, err := w.target().Survey(w.Context())
					looked <- outcome{inv, err}
				}()
				select {
				case got := <-looked:
					hosttest.Must(w.T, got.err)
					named := slices.ContainsFunc(got.inv.With(inventory.Stays), func(it inventory.Item) bool {
						return (it.Name == dir || strings.HasPrefix(dir, it.Name+"/")) && strings.HasPrefix(it.Refers, "not looked at: ")
					})
					looks := strings.Contains(dir, "/pki/theirs") || strings.Contains(dir, "net.d") || strings.Contains(dir, "manifests")
					if looks && !named {
						w.Errorf("it is not named: %v", got.inv.Items)
					}
				case <-time.After(30 * time.Second):
					w.Fatal("the look hangs")
				}
				removed := make(chan error, 1)
				go func() {
					_, err := w.target().Recipe().Run(w.Context(), nil)
					removed <- err
				}()
				select {
				case err := <-removed:
					if (plan.ClassOf(err) == plan.Refused) != refused || !refused && err != nil {
						w.Errorf("refused %v: %v", refused, err)
					}
				case <-time.After(time.Minute):
					w.Fatal("the removal hangs")
				}
				ofPod := strings.Contains(dir, "/volumes/") || strings.Contains(dir, "/plugins/") // where drivers mount
				if mounted := strings.Contains(w.script("cat /proc/self/mountinfo"), "/mnt"+dir+" "); mounted == ofPod {
					w.Errorf("it is mounted: %v", mounted)
				}
				if !ofPod {
					w.script("umount -l ." + dir)
				}
				if refused {
					w.same(before)
				}
				if strings.Contains(dir, "/theirs") {
					w.script("[ ! -d ." + dir + " ] || rmdir ." + dir)
				}
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Errorf("once it is gone: %+v", verdict)
				}
			})
		})
	}
}
