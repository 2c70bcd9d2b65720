// SPDX-License-Identifier: Apache-2.0

package hostdata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// Data is something of value on a node, or on its way from it.
type Data struct {
	Kind DataKind `json:"kind"`
	// Name is a PersistentVolume's, or that of a pod's volume.
	Name string `json:"name"`
	// Path is where on the host it is; empty for what is attached.
	Path string `json:"path,omitempty"`
	// Claim is "namespace/name", Pods are "namespace/name" of those that use it.
	Claim string   `json:"claim,omitempty"`
	Pods  []string `json:"pods,omitempty"`
	// Lost is the directory of Kubernetes' own, or of its network's, with which the
	// data goes; empty if it stays. Own says that it is that directory itself: state of
	// Kubernetes', and no pod's data.
	Lost string `json:"lost,omitempty"`
	Own  bool   `json:"-"`
}

// DataKind says what becomes of it.
type DataKind string

// The kinds.
const (
	// LocalVolume is a PersistentVolume for this node only: its data stays on
	// the host, and nothing in the cluster finds it there any more.
	LocalVolume DataKind = "local-volume"
	// HostPath is a directory of the host that a pod uses, itself or by a PersistentVolume
	// that is not bound to one node: it stays, too, and the pod's successor finds another.
	HostPath DataKind = "host-path"
	// EmptyDir ends with its pod.
	EmptyDir DataKind = "empty-dir"
	// EphemeralVolume is a PersistentVolume that was made for one pod: its claim ends with the
	// pod, and another pod never gets what is in it.
	EphemeralVolume DataKind = "ephemeral-volume"
	// Attached is waited for until it is detached.
	Attached DataKind = "attached"
)

// String is the sentence that a plan shows.
func (d Data) String() string {
	of := ""
	if d.Claim != "" {
		of = " of claim " + d.Claim
	}
	if len(d.Pods) > 0 {
		of += ", used by " + strings.Join(d.Pods, ", ")
	}
	if d.Lost != "" {
		what := d.Path + " of the host" + of
		if d.Kind == LocalVolume {
			what = fmt.Sprintf("volume %s%s lies on this host (%s)", d.Name, of, d.Path)
		}
		if d.Own {
			return what + ": it is Kubernetes' own or its network's, and is deleted"
		}
		return fmt.Sprintf("%s: it is below %s, which is deleted, and what is in it is lost", what, d.Lost)
	}
	switch d.Kind {
	case LocalVolume:
		return fmt.Sprintf("volume %s%s lies on this host (%s): the data stays there, and no other node can use it", d.Name, of, d.Path)
	case HostPath:
		return fmt.Sprintf("%s of the host%s: the data stays there, and the pod's successor will not find it", d.Path, of)
	case EmptyDir:
		return fmt.Sprintf("emptyDir %s%s: what is in it is lost", d.Name, of)
	case EphemeralVolume:
		return fmt.Sprintf("volume %s%s was made for that pod alone and ends with it: what is in it is lost to the cluster", d.Name, of)
	case Attached:
		return fmt.Sprintf("volume %s%s is attached: it is detached before the host is cleaned", d.Name, of)
	}
	return d.Name + of
}

// dataOn lists what is of value on a node: volumes that only it can use,
// directories of the host, emptyDirs on its disk, and what is attached. Pods of
// DaemonSets and the host's own (static) pods are left out, except for volumes and for
// data that goes: they exist once on every node. It is pure; sorted by kind, name and path.
func dataOn(node *corev1.Node, pods []corev1.Pod, volumes []corev1.PersistentVolume, attachments []storagev1.VolumeAttachment) []Data {
	out := podData(pods)
	users, holders, ephemeral := claims(pods)
	attached := map[string]bool{}
	for _, a := range attachments {
		if a.Spec.NodeName == node.Name && a.Spec.Source.PersistentVolumeName != nil {
			attached[*a.Spec.Source.PersistentVolumeName] = true
		}
	}
	for _, v := range volumes {
		d := Data{Name: v.Name}
		if v.Spec.ClaimRef != nil {
			d.Claim = v.Spec.ClaimRef.Namespace + "/" + v.Spec.ClaimRef.Name
			d.Pods = users[d.Claim]
		}
		if ephemeral[d.Claim] && len(d.Pods) > 0 {
			out = append(out, ofPod(d, &v, attached[v.Name])...)
			continue
		}
		switch {
		case onlyHere(node, &v):
			d.Kind, d.Path = LocalVolume, localPath(&v)
			d.Lost, _ = inventory.TakenWith(d.Path)
		case hostsPath(&v) != "" && holders[d.Claim]: // of any node that has a pod with this claim
			d.Kind, d.Path = HostPath, hostsPath(&v)
			d.Lost, _ = inventory.TakenWith(d.Path)
		case attached[v.Name]:
			d.Kind = Attached
		default:
			continue
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Data) int {
		return cmp.Or(cmp.Compare(slices.Index(dataKinds(), a.Kind), slices.Index(dataKinds(), b.Kind)), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Path, b.Path), slices.Compare(a.Pods, b.Pods))
	})
	return out
}

// ofPod are what a volume is that goes with its pod: lost, and attached until then.
func ofPod(d Data, v *corev1.PersistentVolume, attached bool) []Data {
	own := d
	own.Kind, own.Path = EphemeralVolume, hostsPath(v)
	own.Lost, _ = inventory.TakenWith(own.Path)
	if !attached {
		return []Data{own}
	}
	d.Kind = Attached
	return []Data{own, d}
}

// over reports whether a pod has ended: it needs nothing any more, and what it has written
// may still be of value.
func over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// claims say who uses which claim, which claims pods have used here, and which of them were
// made for one pod, and end with it.
func claims(pods []corev1.Pod) (users map[string][]string, holders, ephemeral map[string]bool) {
	users, holders, ephemeral = map[string][]string{}, map[string]bool{}, map[string]bool{}
	for _, pod := range pods {
		for _, v := range pod.Spec.Volumes {
			claim := pod.Namespace + "/"
			switch {
			case v.PersistentVolumeClaim != nil:
				claim += v.PersistentVolumeClaim.ClaimName
			case v.Ephemeral != nil: // the controller makes a claim of that name (k8s.io/component-helpers, storage/ephemeral)
				claim += pod.Name + "-" + v.Name
				ephemeral[claim] = true
			default:
				continue
			}
			if holders[claim] = true; !over(&pod) {
				users[claim] = append(users[claim], pod.Namespace+"/"+pod.Name)
			}
		}
	}
	return users, holders, ephemeral
}

// podData lists what of value pods have of the host's own. Of one that has ended it is what
// would be lost.
func podData(pods []corev1.Pod) (out []Data) {
	for _, pod := range pods {
		name := pod.Namespace + "/" + pod.Name
		for _, v := range pod.Spec.Volumes {
			switch {
			case v.HostPath != nil && kubenode.OnEveryNode(&pod):
				if d, is := everyNodesData(&pod, &v); is {
					out = append(out, d)
				}
			case v.HostPath != nil:
				with, within := inventory.TakenWith(v.HostPath.Path)
				d := Data{Kind: HostPath, Name: v.Name, Path: v.HostPath.Path, Pods: []string{name}, Lost: with, Own: with != "" && !within}
				if !over(&pod) || within {
					out = append(out, d)
				}
			case v.EmptyDir != nil && v.EmptyDir.Medium != corev1.StorageMediumMemory && !over(&pod) && !kubenode.OnEveryNode(&pod):
				out = append(out, Data{Kind: EmptyDir, Name: v.Name, Pods: []string{name}})
			}
		}
	}
	return out
}

func dataKinds() []DataKind {
	return []DataKind{LocalVolume, HostPath, EmptyDir, EphemeralVolume, Attached}
}

// onlyHere reports whether a volume's node affinity names this node by its name,
// as that of a local volume does, and not a zone.
func onlyHere(node *corev1.Node, v *corev1.PersistentVolume) bool {
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return false
	}
	fits, err := corev1helpers.MatchNodeSelectorTerms(node, v.Spec.NodeAffinity.Required)
	if err != nil || !fits {
		return false
	}
	stranger := node.DeepCopy()
	stranger.Name = ""
	delete(stranger.Labels, corev1.LabelHostname)
	fits, err = corev1helpers.MatchNodeSelectorTerms(stranger, v.Spec.NodeAffinity.Required)
	return err == nil && !fits
}

// hostsPath is the directory of a host in which a volume is; empty if it is in none.
func hostsPath(v *corev1.PersistentVolume) string {
	switch {
	case v.Spec.Local != nil:
		return v.Spec.Local.Path
	case v.Spec.HostPath != nil:
		return v.Spec.HostPath.Path
	}
	return ""
}

func localPath(v *corev1.PersistentVolume) string {
	switch {
	case hostsPath(v) != "":
		return hostsPath(v)
	case v.Spec.CSI != nil:
		return "by " + v.Spec.CSI.Driver
	}
	return "by its node affinity"
}

// Kept are the paths of which a plan says that their data stays: the host itself
// compares them with what it deletes.
func Kept(data []Data) []string {
	var out []string
	for _, d := range data {
		if d.Lost == "" && strings.HasPrefix(d.Path, "/") && (d.Kind == LocalVolume || d.Kind == HostPath) {
			out = append(out, d.Path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// RefuseLoss refuses to lose data of pods that lies below a directory that is deleted,
// unless that was chosen.
func RefuseLoss(data []Data, choices inventory.Choices) error {
	if choices.DeleteHostData {
		return nil
	}
	for _, d := range data {
		if d.Lost != "" && !d.Own {
			return plan.Refuse(errors.New(d.String()), "move the data to another directory of the host; or let it go: --delete-host-data")
		}
	}
	return nil
}

// Read reads what is of value on a node.
func Read(ctx context.Context, cluster runner.Cluster, node *corev1.Node) ([]Data, error) {
	client := cluster.Client
	pods, err := kubenode.PodsOn(ctx, client, node.Name)
	if err != nil {
		return nil, err
	}
	volumes, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list persistent volumes: %w", err)
	}
	attachments, err := client.StorageV1().VolumeAttachments().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list volume attachments: %w", err)
	}
	return dataOn(node, runner.Others(pods, cluster.Namespace), volumes.Items, attachments.Items), nil
}
