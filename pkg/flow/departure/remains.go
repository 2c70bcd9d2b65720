// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	storagehelpers "k8s.io/component-helpers/storage/volume"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The bounds of what is told of a node that is gone.
const (
	mostRemains = 20
	mostListed  = 5000
)

// Remains are the objects of the API that refer to a node which is gone, in sentences, at most
// twenty: volumes that could be reached from it alone, and what networks and storage engines keep of
// it. None of them is deleted: what is owned by the Node goes with it, and of the rest its own
// controller knows what has to be done before. Who may not read them is told nothing.
func Remains(ctx context.Context, client kubernetes.Interface, node *corev1.Node) []string {
	out := slices.Concat(volumesOf(ctx, client, node), claimsOf(ctx, client, node), storageOf(ctx, client, node), customOf(ctx, client, node))
	for i := range out {
		out[i] = "node " + node.Name + " is gone, and " + text.Line(out[i])
	}
	if more := len(out) - mostRemains; more > 0 {
		out = append(out[:mostRemains], fmt.Sprintf("%d more objects refer to node %s, which is gone", more, node.Name))
	}
	return out
}

// volumesOf are the volumes that only this node could reach: what is to be deleted then is never
// deleted (kubernetes-csi/external-provisioner#1213 and others, for local volumes, TopoLVM, LINSTOR).
func volumesOf(ctx context.Context, client kubernetes.Interface, node *corev1.Node) []string {
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{Limit: mostListed})
	if err != nil || len(volumes.Items) == 0 {
		return nil
	}
	others, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: mostListed})
	if err != nil {
		return nil
	}
	var out []string
	for _, v := range volumes.Items {
		if !stranded(&v, node, others.Items) {
			continue
		}
		policy, claim := string(v.Spec.PersistentVolumeReclaimPolicy), ""
		if ref := v.Spec.ClaimRef; ref != nil {
			claim = ", claim " + ref.Namespace + "/" + ref.Name
		}
		out = append(out, fmt.Sprintf("persistentvolume/%s can be reached from no other node (reclaim policy %s%s): once its data is not "+
			"needed, delete its claim, and then the volume, which nothing on that host deletes any more: %s", v.Name, policy, claim,
			text.Command("kubectl", "delete", "pv", v.Name)))
	}
	return out
}

// claimsOf are the claims for which a volume was to be made on this node, and was not: the scheduler
// has chosen it, and takes no other as long as the claim says so (kubernetes/kubernetes#100485).
func claimsOf(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (out []string) {
	claims, err := client.CoreV1().PersistentVolumeClaims(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: mostListed})
	if err != nil {
		return nil
	}
	for _, c := range claims.Items {
		if c.Spec.VolumeName == "" && c.Annotations[storagehelpers.AnnSelectedNode] == node.Name {
			out = append(out, fmt.Sprintf("persistentvolumeclaim/%s (namespace %s) waits for a volume on it: let the scheduler choose again: %s",
				c.Name, c.Namespace,
				text.Command("kubectl", "annotate", "pvc", "--namespace", c.Namespace, c.Name, storagehelpers.AnnSelectedNode+"-")))
		}
	}
	return out
}

// stranded reports whether a volume could be reached from a node, and from none of the others.
func stranded(v *corev1.PersistentVolume, node *corev1.Node, others []corev1.Node) bool {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return false
	}
	reaches := func(n *corev1.Node) bool {
		fits, err := corev1helpers.MatchNodeSelectorTerms(n, v.Spec.NodeAffinity.Required)
		return err == nil && fits
	}
	return reaches(node) && !slices.ContainsFunc(others, func(n corev1.Node) bool { return n.UID != node.UID && reaches(&n) })
}

// storageOf are the objects of the storage API that name the node and are not its own.
func storageOf(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (out []string) {
	if attached, err := client.StorageV1().VolumeAttachments().List(ctx, metav1.ListOptions{Limit: mostListed}); err == nil {
		for _, a := range attached.Items {
			if a.Spec.NodeName == node.Name {
				out = append(out, "volumeattachment/"+a.Name+" names it ("+a.Spec.Attacher+"): its volume cannot be attached elsewhere before "+
					"that driver has let it go")
			}
		}
	}
	if of, err := client.StorageV1().CSINodes().Get(ctx, node.Name, metav1.GetOptions{}); err == nil && !owned(of.OwnerReferences, node) {
		out = append(out, "csinode/"+of.Name+" is not owned by it and stays: "+text.Command("kubectl", "delete", "csinode", of.Name))
	}
	leases := client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	if of, err := leases.Get(ctx, node.Name, metav1.GetOptions{}); err == nil && !owned(of.OwnerReferences, node) {
		out = append(out, "its lease is not owned by it and stays: "+
			text.Command("kubectl", "delete", "lease", "--namespace", corev1.NamespaceNodeLease, of.Name))
	}
	if all, err := client.StorageV1().CSIStorageCapacities(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: mostListed}); err == nil {
		for _, c := range all.Items {
			if onlyOf(&c, node) {
				out = append(out, "csistoragecapacity/"+c.Name+" (namespace "+c.Namespace+") is of it alone: pods wait for a node that there is not, "+
					"until its driver deletes that")
			}
		}
	}
	return out
}

// onlyOf reports whether a capacity is of one node: by the label of its name, or one of a driver's
// own that has the same value.
func onlyOf(c *storagev1.CSIStorageCapacity, node *corev1.Node) bool {
	selector, err := metav1.LabelSelectorAsSelector(c.NodeTopology)
	if c.NodeTopology == nil || err != nil || selector.Empty() || !selector.Matches(labels.Set(node.Labels)) {
		return false
	}
	stranger := labels.Set{}
	for key, value := range node.Labels {
		if value != node.Name && value != node.Labels[corev1.LabelHostname] {
			stranger[key] = value
		}
	}
	return !selector.Matches(stranger)
}

// owned reports whether something goes with a Node, since the Node owns it.
func owned(owners []metav1.OwnerReference, node *corev1.Node) bool {
	return slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.Kind == "Node" && o.Name == node.Name })
}

// custom are the kinds in which networks and storage engines keep something of each node: by its
// name, or a field of the spec that has it.
func custom() []struct{ path, kind, field string } {
	return []struct{ path, kind, field string }{
		{"/apis/cilium.io/v2/ciliumnodes", "ciliumnode", ""},
		{"/apis/crd.projectcalico.org/v1/blockaffinities", "blockaffinity", "node"},
		{"/apis/longhorn.io/v1beta2/nodes", "nodes.longhorn.io", ""},
		{"/apis/piraeus.io/v1/linstorsatellites", "linstorsatellite", ""},
		{"/apis/topolvm.io/v1/logicalvolumes", "logicalvolume", "nodeName"},
		{"/apis/local.openebs.io/v1alpha1/lvmvolumes", "lvmvolume", "ownerNodeID"},
		{"/apis/zfs.openebs.io/v1/zfsvolumes", "zfsvolume", "ownerNodeID"},
	}
}

// customOf are the objects of those kinds that name the node. A kind that there is not is no error.
func customOf(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (out []string) {
	wire, real := client.Discovery().RESTClient().(*rest.RESTClient)
	if !real || wire == nil { // a fake client has none
		return nil
	}
	for _, kind := range custom() {
		raw, err := wire.Get().AbsPath(kind.path).Param("limit", fmt.Sprint(mostListed)).DoRaw(ctx)
		if err == nil {
			out = append(out, namesNode(raw, kind.kind, kind.field, node)...)
		}
	}
	return out
}

// namesNode are the objects of a list that name a node and do not go with it.
func namesNode(raw []byte, kind, field string, node *corev1.Node) (out []string) {
	var list struct {
		Items []struct {
			Metadata metav1.ObjectMeta
			Spec     map[string]json.RawMessage
		}
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	for _, it := range list.Items {
		named := it.Metadata.Name
		if field != "" {
			named = ""
			_ = json.Unmarshal(it.Spec[field], &named) // what is no text names no node
		}
		if named != node.Name || owned(it.Metadata.OwnerReferences, node) || it.Metadata.DeletionTimestamp != nil {
			continue
		}
		at := ""
		if it.Metadata.Namespace != "" {
			at = " (namespace " + it.Metadata.Namespace + ")"
		}
		out = append(out, kind+"/"+it.Metadata.Name+at+" is still of it: its network's or storage engine's own command takes that away")
	}
	return out
}
