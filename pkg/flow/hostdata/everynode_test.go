// SPDX-License-Identifier: Apache-2.0

package hostdata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// hostPath is a volume of a directory, of a type if one is given.
func hostPath(path string, is ...corev1.HostPathType) corev1.Volume {
	source := &corev1.HostPathVolumeSource{Path: path}
	if len(is) > 0 {
		source.Type = &is[0]
	}
	return volume("v", corev1.VolumeSource{HostPath: source})
}

func TestDataOfPodsThatAreOnEveryNodeIsNotLostUnsaid(t *testing.T) {
	const plugins = "/var/lib/kubelet/plugins/"
	for _, tc := range []struct {
		name    string
		volume  corev1.Volume
		args    []string
		ro      bool
		refused bool   // it is data, and would go
		own     string // it goes, and is named
		keeps   []string
	}{
		{name: "a storage engine's replicas among the plugins", volume: hostPath(plugins + "engine.example.com/replicas"), refused: true},
		{name: "the same, made if it is missing", volume: hostPath(plugins+"rook/osd", corev1.HostPathDirectoryOrCreate), refused: true},
		{name: "data beside the kubelet's own mounts", volume: hostPath(plugins + "kubernetes.io/replicas"), refused: true},
		{name: "data among the pods' directories", volume: hostPath("/var/lib/kubelet/pods/engine"), refused: true},
		{name: "data in the kubelet's checkpoints", volume: hostPath("/var/lib/kubelet/checkpoints/engine/"), refused: true},
		{name: "replicas in another root of a kubelet's, if that is one", volume: hostPath("/data/kubelet/plugins/engine/replicas"),
			keeps: []string{"/data/kubelet/plugins/engine/replicas"}},
		{name: "a driver's own directory", volume: hostPath(plugins + "csi.example.com/"), own: "is Kubernetes' own"},
		{name: "a network's directory", volume: hostPath("/var/lib/calico/engine"), own: "its network's"},
		{name: "a driver's own directory, with its socket", volume: hostPath(plugins + "csi.example.com"),
			args: []string{"--kubelet-registration-path=" + plugins + "csi.example.com/csi.sock"}},
		{name: "the same, as the driver itself sees it", volume: hostPath(plugins + "csi.example.com"),
			args: []string{"--endpoint=unix:///v/csi.sock"}},
		{name: "a driver's directory of two levels, with its socket", volume: hostPath(plugins + "topolvm.io/node"),
			args: []string{"--kubelet-registration-path=" + plugins + "topolvm.io/node/csi-topolvm.sock"}, own: "is Kubernetes' own"},
		{name: "the socket of another directory says nothing", volume: hostPath(plugins + "engine/replicas"),
			args: []string{"--path=" + plugins + "engine/replicas/a/csi.sock", "--x=/x" + plugins + "engine/replicas/csi.sock"}, refused: true},
		{name: "a socket", volume: hostPath(plugins+"engine/a/csi.sock", corev1.HostPathSocket)},
		{name: "what is only read", volume: hostPath(plugins + "engine/replicas"), ro: true},
		{name: "the kubelet's mounts of CSI", volume: hostPath(plugins + "kubernetes.io/csi")},
		{name: "one of those", volume: hostPath(plugins + "kubernetes.io/csi/volumeDevices")},
		{name: "the plugins' directory itself", volume: hostPath(strings.TrimSuffix(plugins, "/"))},
		{name: "where drivers are registered", volume: hostPath("/var/lib/kubelet/plugins_registry/x")},
		{name: "a driver's own directory in another root", volume: hostPath("/data/kubelet/plugins/csi.example.com")},
		{name: "the kubelet's mounts in another root", volume: hostPath("/data/kubelet/plugins/kubernetes.io/csi/x")},
		{name: "a network's logs and sockets", volume: hostPath("/var/log/calico/cni")},
		{name: "what is gone at the next boot anyway", volume: hostPath("/var/run/cilium/netns")},
		{name: "credentials", volume: hostPath("/etc/kubernetes/pki/etcd")},
		{name: "the kubelet's certificates", volume: hostPath("/var/lib/kubelet/pki/x")},
		{name: "plugins that are programs", volume: hostPath("/opt/agent/plugins/a/b")},
		{name: "an engine's usual directory, which stays", volume: hostPath("/var/lib/longhorn")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, owner := range []string{"DaemonSet", "Node"} {
				pod := flowtest.Pod("engine", owner, tc.volume)
				mounts := []corev1.VolumeMount{{Name: "v", MountPath: "/v", ReadOnly: tc.ro}}
				pod.Spec.Containers = []corev1.Container{{Args: tc.args, VolumeMounts: mounts}}
				data := dataOn(flowtest.Worker(), []corev1.Pod{pod}, nil, nil)
				if err := RefuseLoss(data, inventory.Choices{}); (plan.ClassOf(err) == plan.Refused) != tc.refused {
					t.Errorf("got %v", err)
				}
				named := tc.refused || tc.own != "" || tc.keeps != nil
				if (len(data) == 1) != named || tc.own != "" && !strings.Contains(data[0].String(), tc.own) {
					t.Errorf("named: %v", data)
				}
				if diff := cmp.Diff(tc.keeps, Kept(data)); diff != "" {
					t.Errorf("the host is told (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAVolumeOfAHostsDirectoryIsOnTheNodeOfItsPods(t *testing.T) {
	const goes, stays = "/var/lib/kubelet/plugins/kubernetes.io/data", "/srv/data"
	ended := func(pod corev1.Pod) corev1.Pod {
		pod.Status.Phase = corev1.PodSucceeded
		return pod
	}
	ephemeral := volume("data", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}})
	for _, tc := range []struct {
		name, path, claim string
		pod               corev1.Pod
		local             bool
		says              string // empty if it is not here
		refused           bool
	}{
		{name: "below what is deleted", path: goes, claim: "d", pod: flowtest.Pod("pg-0", "StatefulSet", volume("v", claim("d"))),
			says: "of claim shop/d, used by shop/pg-0: it is below /var/lib/kubelet/plugins, which is deleted", refused: true},
		{name: "of a pod that is on every node", path: goes, claim: "d", pod: flowtest.Pod("agent", "DaemonSet", volume("v", claim("d"))),
			says: "is lost", refused: true},
		{name: "of a pod that has ended", path: goes, claim: "d", pod: ended(flowtest.Pod("job", "Job", volume("v", claim("d")))),
			says: "of claim shop/d: it is below", refused: true},
		{name: "of a claim that came with its pod", path: goes, claim: "web-data", pod: flowtest.Pod("web", "ReplicaSet", ephemeral),
			says: "used by shop/web", refused: true},
		{name: "of a kind that other nodes may have, too", path: goes, claim: "d", local: true,
			pod: flowtest.Pod("pg-0", "StatefulSet", volume("v", claim("d"))), says: "is lost", refused: true},
		{name: "what stays is told to the host", path: stays, claim: "d", pod: flowtest.Pod("pg-0", "StatefulSet", volume("v", claim("d"))),
			says: "the data stays there"},
		{name: "what no pod uses here", path: goes, claim: "d", pod: flowtest.Pod("web", "ReplicaSet", volume("v", claim("e")))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := pv("pv-1", tc.claim, corev1.LabelTopologyZone, "z1") // no node by its name
			v.Spec.HostPath = &corev1.HostPathVolumeSource{Path: tc.path}
			if tc.local {
				v.Spec.HostPath, v.Spec.Local = nil, &corev1.LocalVolumeSource{Path: tc.path}
			}
			unbound := *v.DeepCopy()
			unbound.Spec.NodeAffinity = nil
			for _, v := range []corev1.PersistentVolume{v, unbound} {
				data := dataOn(flowtest.Worker(), []corev1.Pod{tc.pod}, []corev1.PersistentVolume{v}, nil)
				if (len(data) == 1) != (tc.says != "") || tc.says != "" && !strings.Contains(data[0].String(), tc.says) {
					t.Fatalf("got %v", data)
				}
				if err := RefuseLoss(data, inventory.Choices{}); (plan.ClassOf(err) == plan.Refused) != tc.refused {
					t.Errorf("got %v", err)
				}
				var keeps []string
				if tc.path == stays {
					keeps = []string{stays}
				}
				if diff := cmp.Diff(keeps, Kept(data)); diff != "" {
					t.Errorf("the host is told (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestWhatAnEndedPodHasWrittenIsNotLostUnsaid(t *testing.T) {
	lost, kept := flowtest.Pod("backup", "Job", hostPath("/var/lib/kubelet/plugins/a/b")), flowtest.Pod("other", "Job", hostPath("/srv/x"))
	lost.Status.Phase, kept.Status.Phase = corev1.PodFailed, corev1.PodFailed
	data := dataOn(flowtest.Worker(), []corev1.Pod{lost, kept}, nil, nil)
	if len(data) != 1 || RefuseLoss(data, inventory.Choices{}) == nil {
		t.Errorf("got %v", data)
	}
}
