// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"fmt"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
)

func TestWhatRefersToANodeThatIsGoneIsNamed(t *testing.T) {
	gone := flowtest.Worker()
	gone.UID = "1"
	gone.Labels = map[string]string{corev1.LabelHostname: gone.Name, "topology.topolvm.io/node": gone.Name, corev1.LabelTopologyZone: "a"}
	other := gone.DeepCopy()
	other.Name, other.UID = "w2", "2"
	other.Labels = map[string]string{corev1.LabelHostname: "w2", "topology.topolvm.io/node": "w2", corev1.LabelTopologyZone: "a"}
	meta := func(name string, owners ...metav1.OwnerReference) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, OwnerReferences: owners}
	}
	own := metav1.OwnerReference{Kind: "Node", Name: gone.Name}
	volume := func(key, value string) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{ObjectMeta: meta("pv"), Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete, NodeAffinity: &corev1.VolumeNodeAffinity{
				Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}}}}}}}
	}
	capacity := func(key, value string) *storagev1.CSIStorageCapacity {
		return &storagev1.CSIStorageCapacity{ObjectMeta: metav1.ObjectMeta{Namespace: "s", Name: "c"},
			NodeTopology: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
	}
	lease := func(owners ...metav1.OwnerReference) *coordinationv1.Lease {
		l := &coordinationv1.Lease{ObjectMeta: meta(gone.Name, owners...)}
		l.Namespace = corev1.NamespaceNodeLease
		return l
	}
	claim := func(node, volume string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data",
			Annotations: map[string]string{"volume.kubernetes.io/selected-node": node}}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume}}
	}
	attachment := func(node string) *storagev1.VolumeAttachment {
		return &storagev1.VolumeAttachment{ObjectMeta: meta("a"), Spec: storagev1.VolumeAttachmentSpec{NodeName: node, Attacher: "driver\nx"}}
	}
	for name, tc := range map[string]struct {
		object runtime.Object
		says   string // empty for nothing
	}{
		"a local volume":                         {volume(corev1.LabelHostname, gone.Name), "kubectl delete pv pv"},
		"a driver's, by a label of its own":      {volume("topology.topolvm.io/node", gone.Name), "pv can be reached from no other"},
		"a volume of another node's":             {volume(corev1.LabelHostname, "w2"), ""},
		"a volume of a zone in which others are": {volume(corev1.LabelTopologyZone, "a"), ""},
		"a volume that every node reaches":       {&corev1.PersistentVolume{ObjectMeta: meta("pv")}, ""},
		"a claim whose volume was to be here": {claim(gone.Name, ""),
			"kubectl annotate pvc --namespace shop data volume.kubernetes.io/selected-node-"},
		"a claim that has its volume": {claim(gone.Name, "pv"), ""},
		"a claim of another node's":   {claim("w2", ""), ""},
		"an attachment":               {attachment(gone.Name), "volumeattachment/a names it (driver x)"},
		"another node's attachment":   {attachment("w2"), ""},
		"a CSINode of its own":        {&storagev1.CSINode{ObjectMeta: meta(gone.Name, own)}, ""},
		"a CSINode that nothing owns": {&storagev1.CSINode{ObjectMeta: meta(gone.Name)}, "kubectl delete csinode " + gone.Name},
		"its lease":                   {lease(own), ""},
		"a lease that nothing owns":   {lease(), "its lease is not owned by it"},
		"its capacity":                {capacity("topology.topolvm.io/node", gone.Name), "csistoragecapacity/c"},
		"a zone's capacity":           {capacity(corev1.LabelTopologyZone, "a"), ""},
	} {
		got := strings.Join(Remains(t.Context(), fake.NewClientset(other, tc.object), gone), "\n")
		if (got != "") != (tc.says != "") || !strings.Contains(got, tc.says) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
	var many []runtime.Object
	for n := range 30 {
		v := volume(corev1.LabelHostname, gone.Name)
		v.Name = fmt.Sprint("pv", n)
		many = append(many, v)
	}
	got := Remains(t.Context(), fake.NewClientset(many...), gone)
	if len(got) != mostRemains+1 || !strings.HasPrefix(got[mostRemains], "10 more") {
		t.Errorf("of very many: %q", got)
	}
}

func TestObjectsOfNetworksAndStorageEnginesAreNamedByTheNodeTheyAreOf(t *testing.T) {
	gone := flowtest.Worker()
	for name, tc := range map[string]struct {
		field, list string
		want        int
	}{
		"by its name": {"", `{"items":[{"metadata":{"name":"w1"}},{"metadata":{"name":"w2"}}]}`, 1},
		"by a field": {"node", `{"items":[{"metadata":{"name":"x"},"spec":{"node":"w1"}},` +
			`{"metadata":{"name":"w1"},"spec":{"node":"w2"}}]}`, 1},
		"a field of no text":  {"node", `{"items":[{"metadata":{"name":"x"},"spec":{"node":{"a":1}}}]}`, 0},
		"owned by the Node":   {"", `{"items":[{"metadata":{"name":"w1","ownerReferences":[{"kind":"Node","name":"w1"}]}}]}`, 0},
		"that is leaving":     {"", `{"items":[{"metadata":{"name":"w1","deletionTimestamp":"2026-01-01T00:00:00Z"}}]}`, 0},
		"no list":             {"", `"w1"`, 0},
		"a list of something": {"", `{"items":[1]}`, 0},
	} {
		if got := namesNode([]byte(tc.list), "kind", tc.field, gone); len(got) != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
