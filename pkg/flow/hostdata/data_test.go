// SPDX-License-Identifier: Apache-2.0

package hostdata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func volume(name string, source corev1.VolumeSource) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: source}
}

func claim(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

// pv is a volume of a claim, for nodes with a label.
func pv(name, claim, key string, values ...string) corev1.PersistentVolume {
	v := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}}
	v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "shop", Name: claim}
	if key != "" {
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}},
		}}}}
	}
	return v
}

func TestDataBelowWhatIsDeletedIsSaidToBeLostAndNeedsConsent(t *testing.T) {
	node := flowtest.Worker()
	node.Labels = map[string]string{corev1.LabelHostname: "w1"}
	at := func(path string) corev1.Volume {
		return volume("v", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}})
	}
	local := pv("local-1", "db-0", corev1.LabelHostname, "w1")
	local.Spec.Local = &corev1.LocalVolumeSource{Path: "/var/lib/calico/disk"}
	for _, tc := range []struct {
		name    string
		volumes []corev1.Volume
		local   []corev1.PersistentVolume
		says    string
		refused bool
		keeps   []string
	}{
		{"a directory of a person's stays", []corev1.Volume{at("/srv/data")}, nil, "the data stays there", false, []string{"/srv/data"}},
		{"one in the kubelet's root, under a name of its own, stays", []corev1.Volume{at("/var/lib/kubelet/local-volumes/a")}, nil,
			"the data stays there", false, []string{"/var/lib/kubelet/local-volumes/a"}},
		{"one among the kubelet's plugins is lost", []corev1.Volume{at("/var/lib/kubelet/plugins/my.driver/data")}, nil, "is lost", true, nil},
		{"one in a network's state is lost", []corev1.Volume{at("/var/run/flannel/x")}, nil, "below /run/flannel, which is deleted", true, nil},
		{"Kubernetes' own directory is nobody's data", []corev1.Volume{at("/var/log/pods/")}, nil,
			"is Kubernetes' own or its network's", false, nil},
		{"a local volume below what is deleted is lost", nil, []corev1.PersistentVolume{local},
			"volume local-1 of claim shop/db-0 lies on this host (/var/lib/calico/disk): it is below /var/lib/calico", true, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var pods []corev1.Pod
			if tc.volumes != nil {
				pods = append(pods, flowtest.Pod("web", "ReplicaSet", tc.volumes...))
			}
			data := dataOn(node, pods, tc.local, nil)
			if len(data) != 1 || !strings.Contains(data[0].String(), tc.says) {
				t.Fatalf("got %v", data)
			}
			err := RefuseLoss(data, inventory.Choices{})
			if (plan.ClassOf(err) == plan.Refused) != tc.refused || tc.refused && !strings.Contains(plan.HintOf(err), "--delete-host-data") {
				t.Errorf("got %v", err)
			}
			if err := RefuseLoss(data, inventory.Choices{DeleteHostData: true}); err != nil {
				t.Errorf("although it was chosen: %v", err)
			}
			if diff := cmp.Diff(tc.keeps, Kept(data)); diff != "" {
				t.Errorf("the host is told (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsOfValueOnANodeIsNamed(t *testing.T) {
	node := flowtest.Worker()
	node.Labels = map[string]string{corev1.LabelHostname: "w1", corev1.LabelTopologyZone: "z1"}
	local := pv("local-1", "db-0", corev1.LabelHostname, "w1")
	local.Spec.Local = &corev1.LocalVolumeSource{Path: "/mnt/disk1"}
	host := volume("data", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/srv/data"}})
	empty := volume("cache", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	memory := volume("shm", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}})
	over := flowtest.Pod("over", "Job", host)
	over.Status.Phase = corev1.PodSucceeded
	zonal, remote, elsewhere := "zonal", "remote", "elsewhere"
	attach := func(pv *string, node string) storagev1.VolumeAttachment {
		return storagev1.VolumeAttachment{Spec: storagev1.VolumeAttachmentSpec{NodeName: node,
			Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: pv}}}
	}
	got := dataOn(node,
		[]corev1.Pod{flowtest.Pod("db-0", "StatefulSet", volume("d", claim("db-0"))), flowtest.Pod("web", "ReplicaSet", host, empty, memory,
			volume("r", claim("web"))), flowtest.Pod("agent", "DaemonSet", host, empty), over},
		[]corev1.PersistentVolume{local, pv(zonal, "z", corev1.LabelTopologyZone, "z1"), pv(remote, "web", ""), pv(elsewhere, "e", ""),
			pv("local-2", "db-1", corev1.LabelHostname, "w2")},
		[]storagev1.VolumeAttachment{attach(&zonal, "w1"), attach(&remote, "w1"), attach(&elsewhere, "w2")})
	want := []Data{
		{Kind: LocalVolume, Name: "local-1", Path: "/mnt/disk1", Claim: "shop/db-0", Pods: []string{"shop/db-0"}},
		{Kind: HostPath, Name: "data", Path: "/srv/data", Pods: []string{"shop/web"}},
		{Kind: EmptyDir, Name: "cache", Pods: []string{"shop/web"}},
		{Kind: Attached, Name: "remote", Claim: "shop/web", Pods: []string{"shop/web"}},
		{Kind: Attached, Name: "zonal", Claim: "shop/z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, says := range []string{"/mnt/disk1", "successor will not find it", "is lost", "is detached before", "is detached before"} {
		if text := got[i].String(); !strings.Contains(text, says) {
			t.Errorf("%q does not say %q", text, says)
		}
	}
}

// A generic ephemeral volume is a claim that ends with its pod, wherever its data lies.
func TestAVolumeThatWasMadeForOnePodEndsWithIt(t *testing.T) {
	node := flowtest.Worker()
	node.Labels = map[string]string{corev1.LabelHostname: "w1"}
	local := pv("pv-eph", "web-scratch", corev1.LabelHostname, "w1")
	local.Spec.Local = &corev1.LocalVolumeSource{Path: "/mnt/disk1"}
	remote := "remote"
	ephemeral := volume("scratch", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}})
	far := volume("far", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}})
	got := dataOn(node, []corev1.Pod{flowtest.Pod("web", "ReplicaSet", ephemeral, far)},
		[]corev1.PersistentVolume{local, pv(remote, "web-far", "")}, []storagev1.VolumeAttachment{{Spec: storagev1.VolumeAttachmentSpec{
			NodeName: "w1", Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &remote}}}})
	want := []Data{
		{Kind: EphemeralVolume, Name: "pv-eph", Path: "/mnt/disk1", Claim: "shop/web-scratch", Pods: []string{"shop/web"}},
		{Kind: EphemeralVolume, Name: "remote", Claim: "shop/web-far", Pods: []string{"shop/web"}},
		{Kind: Attached, Name: "remote", Claim: "shop/web-far", Pods: []string{"shop/web"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if said := got[0].String(); !strings.Contains(said, "is lost") || strings.Contains(said, "stays there") || len(Kept(got)) > 0 {
		t.Errorf("it says %q, and keeps %v", said, Kept(got))
	}
}
