// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

const (
	containerd = "/run/containerd/containerd.sock"
	dockerd    = "/run/cri-dockerd.sock"
)

// says has the kubelet's configuration name a runtime, and the Node's annotation another.
func (w *world) says(kubelet, annotation string) func() clean.Target {
	w.Helper()
	if kubelet != "" {
		w.script("echo 'containerRuntimeEndpoint: unix://" + kubelet + "' > var/lib/kubelet/config.yaml")
	}
	return func() clean.Target {
		target := w.target()
		target.Facts.CRISocket = annotation
		return target
	}
}

// removeAs is the verdict of a removal of such a target, and what it was to take away.
func (w *world) removeAs(target func() clean.Target) (inventory.Verdict, []inventory.Item) {
	w.Helper()
	before, err := target().Survey(w.Context())
	hosttest.Must(w.T, err)
	_, err = target().Recipe().Run(w.Context(), nil)
	hosttest.Must(w.T, err)
	after, err := target().Survey(w.Context())
	hosttest.Must(w.T, err)
	return inventory.Verify(before, after), inventory.Decide(before).Objects
}

// podsAt are the pods of the runtime at a socket.
func (w *world) podsAt(socket string) []string {
	w.Helper()
	client := cri.New(w.dir + socket)
	defer client.Close()
	pods, err := client.Sandboxes(w.Context())
	hosttest.Must(w.T, err)
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return names
}

func TestNoVerdictIsCleanWithPodsInARuntimeOfTheKubelets(t *testing.T) {
	for _, tc := range []struct {
		name, kubelet, annotation string
		other                     []critest.Pod
	}{
		{"the Node names a runtime that has no pods", containerd, "unix://" + dockerd, nil},
		{"the Node names one that still has some", containerd, dockerd, []critest.Pod{{Name: "older"}, {Name: "agent", HostNetwork: true}}},
		{"it names it by another path", containerd, "unix:///var" + dockerd, []critest.Pod{{Name: "older"}}},
		{"the kubelet was told nothing, and the Node names an empty one", "", dockerd, nil},
		{"nothing is told, and there are several", "", "", []critest.Pod{{Name: "older"}}},
		{"the Node names one that does not exist", containerd, "/run/dockershim.sock", nil},
		{"the Node names no socket", containerd, "/etc/kubernetes/kubelet.conf", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				if critest.Serve(w.T, w.dir+dockerd).Start(tc.other...); tc.other == nil && tc.annotation != "" &&
					!strings.HasSuffix(tc.annotation, dockerd) {
					w.script("rm " + dockerd[1:])
				}
				verdict, objects := w.removeAs(w.says(tc.kubelet, tc.annotation))
				if verdict.State != inventory.Clean {
					w.Errorf("verdict %+v", verdict)
				}
				left := w.podsAt(containerd)
				if w.exists(dockerd) {
					left = append(left, w.podsAt(dockerd)...)
				}
				if len(left) > 0 {
					w.Errorf("still there: %v", left)
				}
				for _, p := range tc.other {
					if !slices.ContainsFunc(objects, func(it inventory.Item) bool {
						return it.Kind == inventory.KindSandbox && it.ID == p.Name && strings.Contains(it.Detail, dockerd)
					}) {
						w.Errorf("the plan does not show pod %s with its runtime: %v", p.Name, objects)
					}
				}
			})
		})
	}
}

func TestARuntimeThatTheNodeNamesAndThatCannotBeAskedIsNamed(t *testing.T) {
	for name, tc := range map[string]struct{ plant, annotation, why string }{
		"nothing listens there": {`python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("run/dead.sock")'`, "/run/dead.sock", "refused"},
		"a link leads there":    {"mkdir -p srv/run; ln -s ../srv/run run/led", "unix:///run/led/dead.sock", "a link leads there"},
		"it is no path":         {"true", "npipe:////./pipe/containerd", "no path of a socket"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.plant)
				target := w.says(containerd, tc.annotation)
				scoped := target()
				scoped.Scope = inventory.Scope{Owner: inventory.Flannel}
				if _, err := scoped.Users(w.Context(), nil); err == nil || !strings.Contains(err.Error(), tc.why) {
					w.Errorf("which pods use the network is told without it: %v", err)
				}
				verdict, _ := w.removeAs(target)
				if verdict.State != inventory.CleanBut || !slices.ContainsFunc(verdict.But, func(it inventory.Item) bool {
					return strings.HasPrefix(it.Name, "container runtime at ") && strings.Contains(it.Refers, tc.why)
				}) {
					w.Errorf("verdict %+v", verdict)
				}
				if left := w.podsAt(containerd); len(left) > 0 {
					w.Errorf("still there: %v", left)
				}
			})
		})
	}
}

// A network that a pod of either runtime runs in is in use.
func TestAPodOfAnyRuntimeUsesItsNetwork(t *testing.T) {
	for name, annotation := range map[string]string{"the kubelet's": "/run/empty.sock", "one that the Node names": "unix://" + dockerd} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				critest.Serve(w.T, w.dir+"/run/empty.sock")
				critest.Serve(w.T, w.dir+dockerd, critest.Pod{Name: "older"})
				target := w.says(containerd, annotation)()
				target.Scope = inventory.Scope{Owner: inventory.Flannel}
				want := []string{"web"}
				if strings.HasSuffix(annotation, dockerd) {
					want = []string{"older", "web"}
				}
				users, err := target.Users(w.Context(), nil)
				hosttest.Must(w.T, err)
				var got []string
				for _, pod := range users.Pods {
					got = append(got, pod[strings.Index(pod, "/")+1:])
				}
				if !slices.Equal(got, want) {
					w.Errorf("pods %v, want %v", got, want)
				}
			})
		})
	}
}
