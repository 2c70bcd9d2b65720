// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The kubelet's root is not the only place in which something goes: certificates, static
// pods, configurations and plugins of networks. What is mounted there is a reason not to
// begin, in whatever way it is there.
func TestNoDataIsDeletedThroughAMountBesideTheKubeletsRoot(t *testing.T) {
	const old = `mkdir -p srv/theirs/in etc/kubernetes/manifests; for f in ca.key own.key in/file a.yaml kubelet-client-1.pem
do echo precious > srv/theirs/$f; done; born; old`
	inWorld(t, func(w *world) {
		w.script(old)
		w.join()
		w.script("printf 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: mine\nspec:\n  containers:\n  - name: a\n    image: b\n' " +
			"> srv/theirs/younger.yaml") // of a form that the backup has
		for _, at := range []string{
			"/etc/kubernetes/pki", "/etc/kubernetes/pki/etcd", "/etc/kubernetes/manifests",
			"/var/lib/kubelet/pki", "/var/lib/cni/networks/cbr0", "/etc/cni/net.d/10-flannel.conflist",
		} {
			for _, way := range []string{"mount --bind", "mount --rbind"} {
				w.script(fmt.Sprintf("m=.%s; from=srv/theirs; mkdir -p $(dirname $m); [ -e $m ] || mkdir $m; [ -d $m ] || from=srv/theirs/own.key; "+
					"%s $from $m", at, way))
				before := w.dump()
				_, err := w.target().Recipe().Run(w.Context(), nil)
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(fmt.Sprint(err), at+" is a mount of an administrator's") ||
					plan.HintOf(err) == "" || len(w.ran) > 0 {
					w.Errorf("%s at %s: got %v, ran %v", way, at, err, w.ran)
				}
				w.same(before)
				w.script("umount ." + at)
				if w.Failed() {
					return
				}
			}
		}
		// Where only kubeadm's own names go, a mount at another one is in no one's way.
		w.script("mkdir -p etc/kubernetes/pki/etcd/deep; mount --bind srv/theirs etc/kubernetes/pki/etcd/deep")
		if verdict := w.remove(); verdict.State != inventory.CleanBut || !slices.Equal(but(verdict), []string{"/etc/kubernetes/pki/etcd/deep"}) {
			w.Errorf("verdict: %+v", verdict)
		}
		if got := w.script("cat etc/kubernetes/pki/etcd/deep/in/file"); got != "precious\n" {
			w.Errorf("it is %q", got)
		}
	})
}

// A directory of certificates that is a link, or a disk of its own, may hold what somebody
// else keeps there: only what kubeadm has made goes.
func TestOfCertificatesElsewhereOnlyWhatKubeadmMadeGoes(t *testing.T) {
	const files = `for f in own.key ca.key theirs/deep; do mkdir -p $(dirname $d/$f); echo precious > $d/$f; done; born; old`
	for name, layout := range map[string]string{
		"a link":          `d=srv/pki; mkdir -p $d etc/kubernetes; ln -s ../../srv/pki etc/kubernetes/pki; ` + files,
		"a link above it": `d=srv/kubernetes/pki; mv etc/kubernetes srv/kubernetes; ln -s ../srv/kubernetes etc/kubernetes; ` + files,
		"a disk":          `d=etc/kubernetes/pki; mkdir -p $d; mount -t tmpfs disk $d; ` + files,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(layout)
				w.join()
				w.script("echo made > etc/kubernetes/pki/since.crt")
				verdict := w.remove()
				if verdict.State != inventory.CleanBut || !slices.Equal(but(verdict), []string{"/etc/kubernetes/pki/since.crt"}) ||
					len(verdict.Lost)+len(verdict.Changed) > 0 {
					w.Errorf("verdict: %+v", verdict)
				}
				if got := w.script("cd etc/kubernetes/pki/; find . -type f | sort | tr '\\n' ' '; cat own.key theirs/deep"); got != "./own.key "+
					"./since.crt ./theirs/deep precious\nprecious\n" {
					w.Errorf("what is there now: %q", got)
				}
			})
		})
	}
}

// A static pod's manifest on a host that never joined is an administrator's: a proxy, say,
// that is to run before the join (kubernetes-sigs/kubespray#4252).
func TestAManifestOfAHostThatNeverJoinedStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("echo 'kind: Pod' > etc/kubernetes/manifests/nginx-proxy.yml; mkdir -p run/flannel")
		before := w.script("find etc/kubernetes -type f | sort")
		if verdict := w.remove(); verdict.State != inventory.Clean || w.exists("/run/flannel") {
			w.Errorf("verdict: %+v", verdict)
		}
		if after := w.script("find etc/kubernetes -type f | sort"); after != before {
			w.Errorf("left: %s", after)
		}
	})
}
