// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestABridgeOfOursWithAForeignPortStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("ip link set dummy0 master cni0")
		w.remove()
		if links := w.script("ip -o link"); !strings.Contains(links, "dummy0") || !strings.Contains(links, " cni0:") ||
			strings.Contains(links, "veth0") {
			w.Errorf("links:\n%s", links)
		}
	})
}

// A person may put a container of their own, or a virtual machine, on the pod network's bridge.
func TestAPairOfAPersonsOnABridgeOfOursStays(t *testing.T) {
	for name, plant := range map[string]func(w *world) string{
		"both ends here": func(*world) string { return "" },
		"in a container, called as a pod's": func(w *world) string {
			container := exec.CommandContext(w.Context(), "sleep", "1000")
			container.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
			hosttest.Must(w.T, container.Start())
			return fmt.Sprintf("ip link set theirp netns %d", container.Process.Pid)
		},
		"in a named network namespace, called as a pod's": func(w *world) string {
			return "touch run/netns/lab; unshare -n mount --bind /proc/self/ns/net run/netns/lab; nsenter --net=run/netns/lab true; " +
				"ip link set theirp netns $PWD/run/netns/lab"
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				port := map[bool]string{true: "lan0", false: "vethdeadbeef"}[name == "both ends here"]
				w.script("ip link add " + port + " type veth peer name theirp; ip link set " + port + " master cni0\n" + plant(w))
				if slices.ContainsFunc(w.survey().Ours(), func(it inventory.Item) bool { return it.Name == port || it.Name == "cni0" }) {
					w.Error("it would go")
				}
				verdict := w.remove()
				named := slices.ContainsFunc(verdict.But, func(it inventory.Item) bool { return strings.Contains(it.Refers, port) })
				if links := w.script("ip -o link"); !strings.Contains(links, " "+port) || strings.Contains(links, "veth0a") {
					w.Errorf("links:\n%s", links)
				}
				if verdict.State != inventory.CleanBut || !named || len(verdict.Lost) > 0 {
					w.Errorf("verdict: %+v", verdict)
				}
			})
		})
	}
}

func TestAPortInUseBlocksTheNextJoin(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listens("kubelet", 0)
		if diff := cmp.Diff([]string{"port 10250 is in use"}, w.survey().Blocking); diff != "" {
			w.Error(diff)
		}
	})
}

// Every user may listen at a kubelet's port: that keeps no host from being clean.
func TestAPortThatAnotherProgramHasIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		program string
		uid     uint32
	}{"a user's": {"mine", 1000}, "a user's that is called a kubelet": {"kubelet", 1000}, "another service's of root": {"agent", 0}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.listens(tc.program, tc.uid)
				v := w.remove()
				named := slices.ContainsFunc(v.But, func(it inventory.Item) bool {
					return strings.Contains(it.Refers, fmt.Sprintf("user %d listens at port 10250", tc.uid))
				})
				if v.State != inventory.CleanBut || len(v.Blocking) > 0 || !named {
					w.Errorf("verdict %s, blocking %v, but %v", v.State, v.Blocking, v.But)
				}
			})
		})
	}
}

// listens starts a program of some name and user that listens at the kubelet's port.
func (w *world) listens(name string, uid uint32) {
	w.Helper()
	dir := w.TempDir()
	hosttest.Script(w.T, "chmod 755 "+dir+" $(dirname "+dir+"); cp $(readlink -f $(command -v perl)) "+dir+"/"+name)
	cmd := exec.CommandContext(w.Context(), dir+"/"+name, "-MSocket", "-e", `socket(S, PF_INET, SOCK_STREAM, 0) and
bind(S, sockaddr_in(10250, INADDR_ANY)) and listen(S, 1) or die $!; $| = 1; print "ready\n"; sleep 1000`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, cmd.Start())
	w.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		w.Fatalf("it does not listen: %q, %v", line, err)
	}
}

func TestWhatWasThereBeforeTheJoinStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("echo > opt/cni/bin/flannel; mkdir -p usr/libexec/kubernetes var/lib/kubelet; born; old")
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
		w.script("mkdir -p var/lib/kubelet/pods; mount -t tmpfs disk var/lib/kubelet/pods; echo 'disk /var/lib/kubelet/pods tmpfs defaults 0 " +
			"0' > etc/fstab; born; old")
		before := w.dump()
		w.join()
		w.script("cd var/lib/kubelet/pods; mount --make-rprivate u1/volumes/etc; umount -R -l u1/volumes/*; rm -rf u1; mkdir -p " + uid +
			"/volumes/a; mount -t tmpfs a " + uid + "/volumes/a; touch " + uid + "/file")
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestTheKubeletsRootMayBeAMountOfItsOwn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p var/lib/kubelet; mount -t tmpfs disk var/lib/kubelet; born; old")
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

// Whatever version of kubeadm a host has, it deletes nothing that stays: old ones empty
// directories that are not Kubernetes' alone.
func TestNoKubeadmIsAskedThatCouldDeleteWhatStays(t *testing.T) {
	for name, tc := range map[string]struct{ files, stays string }{
		"a network of podman's": {"true", "/etc/cni/net.d/87-podman.conflist"},
		"an address that podman gave out": {"rm etc/cni/net.d/87-podman.conflist; touch var/lib/cni/networks/podman/10.88.0.2",
			"/var/lib/cni/networks/podman/10.88.0.2"},
		"what an old runtime kept": {"rm etc/cni/net.d/87-podman.conflist; mkdir -p var/lib/dockershim/sandbox; touch " +
			"var/lib/dockershim/sandbox/a", "/var/lib/dockershim/sandbox/a"},
		"a certificate of an API server's": {"rm etc/cni/net.d/87-podman.conflist; mkdir -p run/kubernetes; touch run/kubernetes/apiserver.crt",
			"/run/kubernetes/apiserver.crt"},
		"a disk of an administrator's": {"rm etc/cni/net.d/87-podman.conflist; mkdir -p var/lib/dockershim/x; mount -t tmpfs x " +
			"var/lib/dockershim/x", "the mount /var/lib/dockershim/x"},
		"more than is looked at": {"rm etc/cni/net.d/87-podman.conflist; mkdir -p var/lib/dockershim; cd var/lib/dockershim; seq " +
			"1001 | xargs mkdir", "/var/lib/dockershim"},
		"empty directories, which are none": {"rm etc/cni/net.d/87-podman.conflist", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.files)
				target, said := w.target(), ""
				target.Host.Exec = func(ctx context.Context, cmd host.Command) (string, error) {
					if cmd.Name == "which" && cmd.Args[0] == "kubeadm" {
						return "/usr/bin/kubeadm", nil
					}
					return w.exec(ctx, cmd)
				}
				_, err := target.Recipe().Run(w.Context(), plan.ObserverFunc(func(e plan.Event) { said += e.Message + "\n" }))
				hosttest.Must(w.T, err)
				want := "kubeadm is not asked"
				if tc.stays != "" {
					want = tc.stays + " stays, and kubeadm would delete it: removing its files without kubeadm"
				}
				if !strings.Contains(said, want) {
					w.Errorf("%q is not in:\n%s", want, said)
				}
			})
		})
	}
}
