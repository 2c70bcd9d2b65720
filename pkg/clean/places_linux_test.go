// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// elsewhere is what a kubelet with --root-dir=/data/kubelet makes; what kubeadm writes
// stays in the usual place.
const elsewhere = `mkdir -p data/kubelet/pods/` + uid + `/volumes/secret data/kubelet/plugins data/kubelet/plugins_registry
mount -t tmpfs tmpfs data/kubelet/pods/` + uid + `/volumes/secret; echo token > data/kubelet/pods/` + uid +
	`/volumes/secret/token; touch data/kubelet/cpu_manager_state
`

// runs starts a process that looks like a program of root's on this host, and returns
// what ends it.
func (w *world) runs(name string, arguments ...string) (end func()) {
	w.Helper()
	w.script("mkdir -p bin; test -e bin/" + name + " || cp /bin/bash bin/" + name)
	cmd := exec.Command(w.dir+"/bin/"+name, append([]string{"-c", "read -r line; exit"}, arguments...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	hosttest.Must(w.T, err)
	hosttest.Must(w.T, cmd.Start())
	end = sync.OnceFunc(func() { _ = stdin.Close(); _ = cmd.Wait() })
	w.Cleanup(end)
	return end
}

func TestAKubeletsRootElsewhereIsFollowed(t *testing.T) {
	for _, way := range []struct{ name, files, argument string }{
		{"by the arguments of the running kubelet", ``, "--root-dir=/data/kubelet"},
		{"by those, whatever its unit says", `echo 'KUBELET_EXTRA_ARGS=--root-dir=/elsewhere' > etc/default/kubelet`, "--root-dir=/data/kubelet"},
		{"by a file of its unit's", `echo 'KUBELET_EXTRA_ARGS=--root-dir=/data/kubelet' > etc/default/kubelet`, ""},
		{"by kubeadm's flags",
			`echo 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.10 --root-dir /data/kubelet"' > var/lib/kubelet/kubeadm-flags.env`, ""},
		{"by another drop-in", `printf '[Service]\nExecStart=\nExecStart=-/usr/bin/kubelet "--root-dir=/data/kubelet/"\n' \
> usr/lib/systemd/system/kubelet.service.d/20-own.conf`, ""},
	} {
		t.Run(way.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(`mkdir -p data usr/lib/systemd/system/kubelet.service.d etc/default; touch etc/default/kubelet
printf '[Service]\nExecStart=/usr/bin/kubelet\n' > usr/lib/systemd/system/kubelet.service
printf '[Service]\nEnvironment="A=--x"\nEnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\nEnvironmentFile=-/etc/default/kubelet\nExecStart=\nExecStart=/usr/bin/kubelet $A $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS\n' > usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf; born; old`)
				w.join()
				w.script(elsewhere + way.files)
				if way.argument != "" {
					w.runs("kubelet", "--v=2", way.argument)
				}
				recipe := w.target().Recipe()
				recipe.Steps = recipe.Steps[:slices.Index(recipe.IDs(), "kubelet")+1]
				_, err := recipe.Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				// Interrupted, with nothing left that would tell.
				w.script("rm -rf etc/default/kubelet usr/lib/systemd bin/kubelet; echo > var/lib/kubelet/kubeadm-flags.env")
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Errorf("verdict: %+v", verdict)
				}
				if got := w.script("find data; grep -c data/kubelet /proc/self/mountinfo || true; ls -d var/lib/kubelet 2>/dev/null || " +
					"true"); got != "data\n0\n" {
					w.Errorf("left: %q", got)
				}
			})
		})
	}
}

// Where nothing tells the arguments of a kubelet that does not run, its directories may
// be anywhere: nothing is changed, and it is said what would tell.
func TestAKubeletWhoseArgumentsNobodyKnowsIsNotTakenForAUsualOne(t *testing.T) {
	const script = `mkdir -p usr/lib/systemd/system; printf '[Service]\nExecStart=/usr/local/bin/start.sh\n' > usr/lib/systemd/system/`
	for _, tc := range []struct{ name, files, runs, root, want, wayOut string }{
		{"a script starts the kubelet", script + "kubelet.service", "", "", "start.sh", "systemctl start kubelet"},
		{"a script starts containerd", script + "containerd.service", "", "", "start.sh", "systemctl start containerd"},
		{"its unit is too large to read", "mkdir -p usr/lib/systemd/system; head -c 1100000 /dev/zero > usr/lib/systemd/system/kubelet.service",
			"", "", "kubelet.service", "systemctl start kubelet"},
		{"its configuration is too large to read", "head -c 1100000 /dev/zero > var/lib/kubelet/config.yaml", "", "", "config.yaml",
			"run the command again"},
		{"its unit is masked", script + "kubelet.service; ln -s /dev/null etc/systemd/system/kubelet.service; mv usr/lib/systemd " +
			"usr/lib/no", "", "", "", ""},
		{"the kubelet runs, whatever starts it", script + "kubelet.service", "kubelet", "", "", ""},
		{"containerd runs, whatever starts it", script + "containerd.service", "containerd", "", "", ""},
		{"a person has told its root", script + "kubelet.service", "", "/var/lib/kubelet", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.files)
				if tc.runs != "" {
					w.runs(tc.runs, "--v=2")
				}
				target := w.target()
				target.Facts.KubeletRoot = tc.root
				before := w.dump()
				_, err := target.Recipe().Run(w.Context(), nil)
				if tc.want == "" {
					hosttest.Must(w.T, err)
					return
				}
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.want) || !strings.Contains(plan.HintOf(err), tc.wayOut) {
					w.Errorf("error %v; way out: %s", err, plan.HintOf(err))
				}
				w.same(before)
				inv, err := target.Survey(w.Context())
				if err != nil || inventory.Verify(inv, inv).State != inventory.Dirty || len(inv.Unchecked) == 0 {
					w.Errorf("it is not said that nobody knows: %v, %v", inv.Unchecked, err)
				}
			})
		})
	}
}

func TestTheSecretsOfARootElsewhereKeepAHostFromBeingClean(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(elsewhere)
		w.runs("kubelet", "--root-dir", "/data/kubelet")
		var names []string
		for _, it := range w.survey().Ours() {
			names = append(names, it.Name)
		}
		for _, want := range []string{"/data/kubelet/pods", "/data/kubelet/pods/" + uid + "/volumes/secret", "/data/kubelet/cpu_manager_state",
			"/var/lib/kubelet/pods"} {
			if !slices.Contains(names, want) {
				w.Errorf("%s is not among %q", want, names)
			}
		}
	})
}

func TestWhatAKubeletDoesNotMakeStaysInItsRoot(t *testing.T) {
	inWorld(t, func(w *world) {
		const old = `mkdir -p var/lib/kubelet/seccomp/profiles var/lib/kubelet/local-volumes/pv1 var/lib/kubelet/pki
echo '{"auths":{}}' > var/lib/kubelet/config.json
echo profile > var/lib/kubelet/seccomp/profiles/a.json; echo data > var/lib/kubelet/local-volumes/pv1/file
echo mine > var/lib/kubelet/pki/own.pem; echo x > var/lib/kubelet/.123`
		w.script(old + "\nborn; old")
		before := w.dump()
		w.join()
		w.script(`k=var/lib/kubelet; for d in plugins_registry device-plugins pod-resources pods-api checkpoints image_manager; do mkdir -p $k/$d
touch $k/$d/x; done
			for f in cpu_manager_state memory_manager_state dra_manager_state allocated_pods_state actuated_pods_state \
				graceful_node_shutdown_state .987; do touch $k/$f; done`)
		if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
		w.script("rm -r state")
		w.join()
		w.script("mkdir var/lib/kubelet/younger; echo data > var/lib/kubelet/younger/file")
		named := ""
		for _, it := range w.survey().With(inventory.Stays) {
			if strings.HasPrefix(it.Name, "/var/lib/kubelet/") {
				named += it.Name + ": " + it.Why + "\n"
			}
		}
		w.remove()
		for _, want := range []string{"/var/lib/kubelet/config.json: no name that a kubelet makes; older than the join",
			"/var/lib/kubelet/younger: no name that a kubelet makes; made since the join", "/var/lib/kubelet/pki/own.pem: "} {
			if !strings.Contains(named, want) {
				w.Errorf("%q is not among\n%s", want, named)
			}
		}
		w.script("grep -q data var/lib/kubelet/younger/file")
	})
}

func TestPlacesThatNobodyExpectsAreRefusedBeforeAnythingChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		for _, tc := range []struct {
			name, files  string
			arguments    []string
			controlPlane bool
			want         string
		}{
			{"a kubeconfig elsewhere", "", []string{"--kubeconfig=/root/.kube/config"}, false,
				"--kubeconfig is /root/.kube/config, not /etc/kubernetes/kubelet.conf"},
			{"a bootstrap kubeconfig elsewhere", "", []string{"--bootstrap-kubeconfig", "/etc/boot.conf"}, false,
				"--bootstrap-kubeconfig is /etc/boot.conf"},
			{"a root that is the system's", "", []string{"--root-dir=/srv/../srv/"}, false, "--root-dir is /srv"},
			{"a link to such a root", "ln -s . srv/here", []string{"--root-dir=/srv/here"}, false, "--root-dir is /srv"},
			{"static pods of a control plane elsewhere", "echo 'staticPodPath: \"/etc/pods\"' > var/lib/kubelet/config.yaml", []string{"--v=2"},
				true, "staticPodPath is /etc/pods"},
		} {
			w.script(tc.files)
			end := w.runs("kubelet", tc.arguments...)
			before := w.dump()
			target := w.target()
			target.Facts.ControlPlane = tc.controlPlane
			_, err := target.Recipe().Run(w.Context(), nil)
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.want) || plan.HintOf(err) == "" || len(w.ran) > 0 {
				w.Errorf("%s: got %v, ran %v", tc.name, err, w.ran)
			}
			w.same(before)
			end()
		}
		w.runs("kubelet", "--root-dir=/one")
		w.runs("kubelet", "--root-dir=/two")
		if err := w.target().Objections(w.Context()); err == nil || !strings.Contains(err.Error(), "several processes are this host's kubelet") ||
			plan.HintOf(err) == "" {
			w.Errorf("two kubelets: %v", err)
		}
	})
}

func TestCertificatesAndNetworksElsewhereAreFollowed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`mkdir -p etc/certs etc/containerd/conf.d etc/cni/own opt/plugins srv/run; echo theirs > etc/certs/site.key
echo '{"name":"podman"}' > etc/cni/own/87-podman.conflist; touch opt/plugins/bridge
printf 'version = 3\nstate = "/srv/run"\nimports = ["conf.d/*.toml"]\n' > etc/containerd/config.toml
printf "[plugins.'io.containerd.cri.v1.runtime'.cni]\n  bin_dirs = [\n    '/opt/plugins', # here\n  ]\n  conf_dir = '/etc/cni/own'\n" > etc/containerd/conf.d/cni.toml; born; old`)
		before := w.dump()
		w.join()
		w.script(`touch etc/certs/kubelet-client-2026-01-01-00-00-00.pem etc/certs/kubelet.crt etc/certs/kubelet.key
ln -s kubelet-client-2026-01-01-00-00-00.pem etc/certs/kubelet-client-current.pem
echo '{"name":"cbr0"}' > etc/cni/own/10-flannel.conflist; touch opt/plugins/flannel
m=srv/run/io.containerd.runtime.v2.task/k8s.io/abc/rootfs; mkdir -p $m; mount -t tmpfs rootfs $m`)
		w.runs("kubelet", "--cert-dir=/etc/certs")
		w.runs("containerd", "--config", "/etc/containerd/config.toml")
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.script("rm -rf bin; rmdir -p srv/run/io.containerd.runtime.v2.task/k8s.io/abc/rootfs || true; mkdir -p srv/run")
		w.same(before)
	})
}

// A kubelet's root may be a disk on which others keep things, too, under names that a
// kubelet also uses.
func TestADirectoryOfAnothersInAKubeletsRootElsewhereStays(t *testing.T) {
	for name, tc := range map[string]struct {
		way  string
		runs bool
	}{
		"a root elsewhere":      {"true", true},
		"a root that is a link": {"mv var/lib/kubelet/* disk/; rmdir var/lib/kubelet; ln -s ../../disk var/lib/kubelet", false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("mkdir -p disk/plugins/grafana disk/checkpoints/run-7 disk/pods/ios; echo precious | tee disk/plugins/grafana/a " +
					"disk/checkpoints/run-7/model.pt disk/pods/ios/Podfile; born; old")
				w.join()
				if tc.runs {
					w.script("mkdir -p disk/pods/" + uid + "/volumes disk/plugins/csi.example.com")
					w.runs("kubelet", "--root-dir=/disk")
				} else {
					w.script("umount -R var/lib/kubelet/pods/u1/volumes/etc var/lib/kubelet/pods/u1/volumes/data " +
						"var/lib/kubelet/pods/u1/volumes/secret; rm -r var/lib/kubelet/pods var/lib/kubelet/plugins; mkdir -p disk/plugins/csi.example.com " +
						"disk/pods/" + uid + "\n" + tc.way)
				}
				verdict := w.remove()
				if verdict.State == inventory.Dirty {
					w.Errorf("verdict: %+v", verdict)
				}
				if got, want := w.script("find disk | sort"),
					"disk\ndisk/checkpoints\ndisk/checkpoints/run-7\ndisk/checkpoints/run-7/model.pt\ndisk/plugins\ndisk/plugins/grafana\n"+
						"disk/plugins/grafana/a\ndisk/pods\ndisk/pods/ios\ndisk/pods/ios/Podfile\n"; got != want {
					w.Errorf("left:\n%s", got)
				}
			})
		})
	}
}
