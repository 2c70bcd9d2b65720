// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
)

// A host whose root is an overlay, as of a live image or a container: what is touched is
// copied, and is as young as that. What is older stays; what came with the network goes.
func TestWhatIsOlderStaysOnAnOverlayWhateverTouchesIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`mkdir -p o; mount -t tmpfs tmpfs o; mkdir -p o/l/bin o/l/man o/l/net o/l/exec o/l/units o/u o/w o/m
echo mine > o/l/bin/antrea; echo mine > o/l/bin/calico; echo mine > o/l/bin/weave-net
ln -s loopback o/l/bin/cilium-cni; touch o/l/bin/loopback
echo 'kind: Pod' > o/l/man/mine.yaml; echo '{"name":"mine","plugins":[{"type":"bridge"}]}' > o/l/net/10-weave.conflist
mkdir -p o/l/exec/nodeagent~uds; echo mine > o/l/exec/nodeagent~uds/uds; echo mine > o/l/units/mine.service
touch -d '3 hours ago' o/l/bin/* o/l/man/* o/l/net/* o/l/units/*; touch -h -d '3 hours ago' o/l/bin/cilium-cni; born; old
mount -t overlay overlay -o lowerdir=o/l,upperdir=o/u,workdir=o/w o/m
x=usr/libexec/kubernetes/kubelet-plugins/volume/exec; mkdir -p etc/kubernetes/manifests $x
for m in bin:opt/cni/bin man:etc/kubernetes/manifests net:etc/cni/net.d exec:$x units:etc/systemd/system; do mount --bind o/m/${m%%:*} ${m#*:}; done`)
		w.join()
		w.runtime.Start(critest.Pod{Name: "units", Mounts: writable("/etc/systemd/system")})
		w.script(`cd o/m; chmod 640 bin/antrea man/mine.yaml net/10-weave.conflist units/mine.service; chown 1 exec/nodeagent~uds/uds
mv bin/calico bin/x; mv bin/x bin/calico; chown -h 1 bin/cilium-cni; ln bin/weave-net bin/other; rm bin/other; echo new > bin/flannel`)
		verdict := w.remove()
		// The configuration is called as a network's and was touched since, as the unit was where a
		// pod could write: they stay, and are named.
		if diff := cmp.Diff([]string{"file /etc/cni/net.d/10-weave.conflist", "file /etc/systemd/system/mine.service"},
			names(verdict.But)); diff != "" ||
			verdict.State != inventory.CleanBut || len(verdict.Lost) > 0 {
			w.Errorf("verdict %s: %v, but %v, lost %v", verdict.State, verdict.Remaining, verdict.But, verdict.Lost)
		}
		got := strings.Join(strings.Fields(w.script("cd o/m; ls bin man net units; cat exec/nodeagent~uds/uds")), " ")
		if got != "bin: antrea calico cilium-cni loopback weave-net man: mine.yaml net: 10-weave.conflist units: mine.service mine" {
			w.Errorf("left: %s", got)
		}
	})
}
