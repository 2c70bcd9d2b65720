// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

const (
	noNetwork = "/etc/cni/net.d/00-kubectl-lifecycle.conflist"
	// made is what a removal writes down when it makes the directory for the hold.
	made = "mkdir -p state; touch state/drop-ins-made"
	hold = "/etc/systemd/system/kubelet.service.d/99-kubectl-lifecycle-hold.conf"
)

// Wherever a removal is killed, the way back leaves nothing of it: pods get their
// own network, and the kubelet starts with the next boot, too.
func TestTheWayBackLeavesNothingWhereverTheRemovalWasKilled(t *testing.T) {
	for name, plant := range map[string]string{
		"before there is anything to hold it":           made,
		"before it is held":                             made + "; mkdir -p etc/systemd/system/kubelet.service.d",
		"while the kubelet is being held":               made + "; mkdir -p etc/systemd/system/kubelet.service.d; touch ." + hold + ".new",
		"when the kubelet is held":                      made + "; mkdir -p etc/systemd/system/kubelet.service.d; echo x > ." + hold,
		"a power cut has emptied the hold":              made + "; mkdir -p etc/systemd/system/kubelet.service.d; touch ." + hold,
		"while the network that does nothing is put in": "touch ." + noNetwork + ".new",
		"when it is in place":                           "echo '{}' > ." + noNetwork,
		"when it is in place, and pods are cut off":     "echo '{}' > ." + noNetwork + "; umount run/netns/cni-*; rm -f run/netns/cni-*",
		"with everything at once": made + "; mkdir -p etc/systemd/system/kubelet.service.d; touch ." + hold + " ." + hold +
			".new ." + noNetwork + " ." + noNetwork + ".new",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("ls etc/cni/net.d > conf")
				w.active = "inactive"
				w.script(plant)
				if is, err := w.target().Interrupted(); err != nil || !is {
					w.Errorf("it would not be known: %v", err)
				}
				hosttest.Must(t, w.target().Restore(t.Context()))
				w.script("ls etc/cni/net.d | diff conf -")
				if w.exists("/etc/systemd/system/kubelet.service.d") || w.active != "active" {
					w.Errorf("left: %s; the kubelet is %s", w.script("find etc/systemd etc/cni"), w.active)
				}
				if is, err := w.target().Interrupted(); err != nil || is {
					w.Errorf("it is interrupted still: %v", err)
				}
			})
		})
	}
}

// An earlier process was killed while the network that does nothing was in place:
// the pods' own is asked to take itself down all the same.
func TestARemovalThatIsTakenUpHasPodsTakeDownTheirOwnNetwork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("echo '{}' > ." + noNetwork + "; touch ." + noNetwork + ".new")
		w.runtime.Stop = func(pod string) error {
			if pod == "web" && w.exists(noNetwork) {
				w.Error("a pod is stopped with the network that does nothing")
			}
			return nil
		}
		if verdict := w.remove(); verdict.State != inventory.Clean || w.exists(noNetwork+".new") {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}

// A removal that is ended in the middle of it leaves the network in its place.
func TestARemovalThatIsEndedAmidLeavesThePodsTheirNetwork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		ctx, cancel := context.WithCancel(w.Context())
		w.runtime.Stop = func(pod string) error {
			if w.exists(noNetwork) {
				cancel()
			}
			return map[bool]error{true: errors.New("failed to destroy network")}[pod == "web"]
		}
		if _, err := w.target().Recipe().Run(ctx, nil); err == nil || w.exists(noNetwork) || w.exists(noNetwork+".new") {
			w.Errorf("error %v; left: %s", err, w.script("ls etc/cni/net.d"))
		}
	})
}

// A hold that was cut short holds nothing, so that it is written again; on a disk
// that is full the kubelet is not stopped, and nothing of the attempt stays.
func TestAHoldCountsOnlyWhenItIsWhole(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p etc/systemd/system/kubelet.service.d; touch ." + hold)
		if w.target().Held() {
			w.Error("an empty hold is said to hold")
		}
		first := w.target().Recipe()
		first.Steps = first.Steps[:slices.Index(first.IDs(), "kubelet")+1]
		w.active = "inactive" // a kubelet that has crashed, say: a boot would start it
		_, err := first.Run(w.Context(), nil)
		hosttest.Must(t, err)
		if !w.target().Held() {
			w.Errorf("it is not held: %s", w.script("cat ."+hold))
		}
		hosttest.Must(t, w.target().Restore(t.Context()))
		w.script("mkdir -p etc/systemd/system/kubelet.service.d; mount -t tmpfs -o size=4k none etc/systemd/system/kubelet.service.d; head -c " +
			"4096 /dev/zero > etc/systemd/system/kubelet.service.d/full")
		_, err = w.target().Recipe().Run(w.Context(), nil)
		if !errors.Is(err, syscall.ENOSPC) || w.active != "active" || w.exists(hold) || w.exists(hold+".new") {
			w.Errorf("error %v, the kubelet is %s; left: %s", err, w.active, w.script("ls etc/systemd/system/kubelet.service.d"))
		}
		w.script("umount etc/systemd/system/kubelet.service.d")
	})
}

// imposter starts a process that calls itself a shim of this host's containerd.
func (w *world) imposter(uid uint32, bundle string, args ...string) *exec.Cmd {
	w.Helper()
	dir := w.TempDir()
	hosttest.Script(w.T, "chmod 755 "+dir+" $(dirname "+dir+"); cp /bin/sh "+dir+"/containerd-shim-x; cd "+dir+"; "+bundle)
	cmd := exec.Command(dir+"/containerd-shim-x", append([]string{"-c", "read line", "x", "-namespace", "k8s.io", "-id", "mine", "-address",
		"/run/containerd/containerd.sock"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = dir
	open, err := cmd.StdinPipe()
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, cmd.Start())
	w.Cleanup(func() { _ = open.Close(); _ = cmd.Wait() })
	return cmd
}

// Anybody may call a program so: none of these is taken for a shim, and none keeps
// anybody waiting.
func TestWhoeverCallsHimselfAShimIsNone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		const bundle = `echo '{"annotations": {"io.kubernetes.cri.container-type": "sandbox"}}' > config.json`
		all := map[string]*exec.Cmd{
			"a user's, with the bundle of a pod": w.imposter(65534, bundle),
			"a user's, with a FIFO":              w.imposter(65534, "mkfifo config.json"),
			"a user's, with a device":            w.imposter(65534, "mknod config.json c 1 5"),
			"a user's, without a bundle":         w.imposter(65534, "true"),
			"root's, with a FIFO":                w.imposter(0, "mkfifo config.json"),
			"root's, with a device":              w.imposter(0, "mknod config.json c 1 5"),
			"root's, with a link":                w.imposter(0, bundle+"; mv config.json other; ln -s other config.json"),
			"root's, with a file without end":    w.imposter(0, bundle+"; truncate -s 1T config.json"),
			"root's, with words without end":     w.imposter(0, bundle, strings.Repeat("x", 100_000)),
			"root's, by a user's program":        w.imposter(0, bundle+"; chown 65534 containerd-shim-x"),
			"root's, by anybody's program":       w.imposter(0, bundle+"; chmod 777 containerd-shim-x"),
		}
		real := w.imposter(0, bundle)
		var seen []string
		for _, it := range w.survey().Ours() {
			if it.Kind == inventory.KindProcess {
				seen = append(seen, it.ID)
			}
		}
		if len(seen) != 1 || seen[0] != strconv.Itoa(real.Process.Pid) {
			for what, cmd := range all {
				w.Logf("%s: %d", what, cmd.Process.Pid)
			}
			w.Errorf("seen: %v, want %d", seen, real.Process.Pid)
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		for what, cmd := range all {
			if ended(cmd) {
				w.Errorf("the shim that is %s was killed", what)
			}
		}
	})
}

// What is called a configuration of the kubelet's and is none keeps nobody waiting.
func TestConfigurationsThatAreNoFilesAreNotReadForEver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("cd var/lib/kubelet; rm -f config.yaml kubeadm-flags.env instance-config.yaml; mkfifo config.yaml; mknod kubeadm-flags.env c " +
			"1 5; truncate -s 1T instance-config.yaml")
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if _, err := os.Lstat(w.dir + "/var/lib/kubelet/config.yaml"); err == nil {
			w.Error("it is still there")
		}
	})
}

// What an administrator has given the kubelet for its old cluster stays, and is
// named before and after; kubeadm's own flags are none of it.
func TestFlagsOfTheOldClusterAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p etc/default etc/sysconfig etc/systemd/system/kubelet.service.d\n" +
			"echo 'KUBELET_EXTRA_ARGS=--cluster-dns=10.96.0.10 --node-labels=old=1' > etc/default/kubelet; mkfifo etc/sysconfig/kubelet\n" +
			"printf '[Service]\\nEnvironment=\"X=--node-ip=192.0.2.10\"\\n' > etc/systemd/system/kubelet.service.d/20-mine.conf")
		before := w.dump()
		w.join()
		w.script("echo 'KUBELET_KUBEADM_ARGS=\"--node-ip=192.0.2.9\"' > var/lib/kubelet/kubeadm-flags.env")
		verdict := w.remove()
		var said []string
		for _, it := range verdict.Flags {
			said = append(said, it.Name+" "+it.Detail)
		}
		if got := strings.Join(said, "; "); verdict.State != inventory.Clean ||
			got != "/etc/default/kubelet --cluster-dns=10.96.0.10 --node-labels=old=1; /etc/systemd/system/kubelet.service.d/20-mine.conf "+
				"--node-ip=192.0.2.10" {
			w.Errorf("verdict %s, said %q", verdict.State, got)
		}
		w.same(before)
	})
}
