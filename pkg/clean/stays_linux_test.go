// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestABridgeOfOursWithAForeignPortStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("ip link set dummy0 master cni0")
		w.remove()
		if links := w.script("ip -o link"); !strings.Contains(links, "dummy0") || !strings.Contains(links, " cni0:") || strings.Contains(links, "veth0") {
			w.Errorf("links:\n%s", links)
		}
	})
}

func TestAPortInUseBlocksTheNextJoin(t *testing.T) {
	inWorld(t, func(w *world) {
		listen, err := net.Listen("tcp", ":10250")
		hosttest.Must(t, err)
		defer func() { _ = listen.Close() }()
		if diff := cmp.Diff([]string{"port 10250 is in use"}, w.survey().Blocking); diff != "" {
			w.Error(diff)
		}
	})
}

func TestWhatWasThereBeforeTheJoinStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("echo > opt/cni/bin/flannel; mkdir -p usr/libexec/kubernetes var/lib/kubelet; sleep 0.6")
		before := w.dump()
		w.join()
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestADiskOfFstabIsEmptiedAndStaysMounted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p var/lib/kubelet/pods; mount -t tmpfs disk var/lib/kubelet/pods; echo 'disk /var/lib/kubelet/pods tmpfs defaults 0 0' > etc/fstab; sleep 0.6")
		before := w.dump()
		w.join()
		w.script("cd var/lib/kubelet/pods; mount --make-rprivate u1/volumes/etc; umount -R -l u1/volumes/*; rm -rf u1; mkdir -p " + uid + "/volumes/a; mount -t tmpfs a " + uid + "/volumes/a; touch " + uid + "/file")
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestTheKubeletsRootMayBeAMountOfItsOwn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p var/lib/kubelet; mount -t tmpfs disk var/lib/kubelet; sleep 0.6")
		before := w.dump()
		w.join()
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestCiliumsRulesGoAndTheKernelsComesBackFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		w.script(`mkdir run/cilium; ip rule add from all lookup local prio 100; ip rule del prio 0
			ip rule add fwmark 0x200/0xf00 lookup 2004 prio 9; ip rule add fwmark 0xa00/0xf00 lookup 2005 prio 10`)
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestIPSetsOfKubernetesGo(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, name := range []string{"KUBE-CLUSTER-IP", "KUBE-MINE", "f2b-sshd"} {
			hosttest.Must(t, netlink.IpsetCreate(name, "hash:ip", netlink.IpsetCreateOptions{}))
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		left, err := netfilter.IPSets()
		if diff := cmp.Diff([]string{"KUBE-MINE", "f2b-sshd"}, left); err != nil || diff != "" {
			w.Error(err, diff)
		}
	})
}
