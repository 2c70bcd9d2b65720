// SPDX-License-Identifier: Apache-2.0

package detach

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// maxDriverSaid bounds what is shown of a message that a driver wrote.
	maxDriverSaid = 300
	// maxWays is how many commands are shown.
	maxWays = 5
)

// drivers are the CSI drivers that the cluster has any part of.
type drivers struct {
	// known is false if they could not be read; then none is called missing.
	known bool
	names map[string]bool
}

// readDrivers reads the CSIDrivers and what the kubelets have registered; who may
// not read them does without.
func readDrivers(ctx context.Context, client kubernetes.Interface) drivers {
	out := drivers{names: map[string]bool{}}
	declared, err := client.StorageV1().CSIDrivers().List(ctx, metav1.ListOptions{})
	if err != nil {
		return out
	}
	nodes, err := client.StorageV1().CSINodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return out
	}
	out.known = true
	for _, d := range declared.Items {
		out.names[d.Name] = true
	}
	for _, n := range nodes.Items {
		for _, d := range n.Spec.Drivers {
			out.names[d.Name] = true
		}
	}
	return out
}

// hanging is an attachment that is in the way, and what is known of why.
type hanging struct {
	what string
	// why is what is seen to be wrong; empty for one that is just not done.
	why string
	// way is the command that goes on.
	way string
	// stuck is true if nothing is left that could detach it.
	stuck bool
}

// String is the attachment, and what is known of why it is there.
func (h hanging) String() string { return h.what + text.Choose(h.why == "", "", " ("+h.why+")") }

// hangs says what is known of why a volume is attached still.
//
// The attach-detach controller deletes an attachment that no pod needs, and the
// driver's external-attacher, whose finalizer keeps it, removes the finalizer
// once the storage has let go (kubernetes/kubernetes#72335,
// kubernetes-csi/external-attacher#215). A CSIDriver is not a must for that; but
// where it is missing and no kubelet has registered the driver either, nothing
// of the driver is left.
func hangs(a *storagev1.VolumeAttachment, d drivers) hanging {
	var h hanging
	var why []string
	missing := d.known && !d.names[a.Spec.Attacher]
	if a.DeletionTimestamp != nil {
		why = append(why, "being deleted since "+a.DeletionTimestamp.UTC().Format(time.RFC3339)+heldBy(a.Finalizers))
	}
	if !a.Status.Attached {
		why = append(why, "status.attached is not true")
	}
	for what, failed := range map[string]*storagev1.VolumeError{"detach": a.Status.DetachError, "attach": a.Status.AttachError} {
		if failed != nil {
			why = append(why, what+" failed: "+text.Short(failed.Message, maxDriverSaid))
		}
	}
	slices.Sort(why)
	if missing {
		why = append(why, fmt.Sprintf("there is no CSIDriver %s in the cluster, and no node has it", text.Line(a.Spec.Attacher)))
	}
	h.why, h.stuck = strings.Join(why, ", "), missing
	switch {
	case !missing && h.why != "":
		h.way = text.Command("kubectl", "describe", "volumeattachment", a.Name)
	case missing && a.DeletionTimestamp == nil:
		h.way = text.Command("kubectl", "delete", "volumeattachment", a.Name, "--wait=false")
	case missing:
		h.way = text.Command("kubectl", "patch", "volumeattachment", a.Name, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	}
	return h
}

func heldBy(finalizers []string) string {
	return text.Choose(len(finalizers) == 0, "", " and held by the finalizer "+text.Line(strings.Join(finalizers, ", ")))
}

// sentences are the attachments for a person.
func sentences(all []hanging) []string {
	out := make([]string, 0, len(all))
	for _, h := range all {
		out = append(out, h.String())
	}
	return out
}

// waysOut are the commands that go on.
func waysOut(all []hanging) string {
	var lines []string
	stuck := false
	for _, h := range all {
		if h.way != "" && !slices.Contains(lines, h.way) {
			lines = append(lines, h.way)
		}
		stuck = stuck || h.stuck
	}
	if len(lines) == 0 {
		return ""
	}
	if more := len(lines) - maxWays; more > 0 {
		lines = append(lines[:maxWays], fmt.Sprintf("and %d more", more))
	}
	first := "see why:"
	if stuck {
		first = "bring the driver back, or make sure at the storage that the volumes are attached nowhere, and then:"
	}
	return first + "\n" + strings.Join(lines, "\n")
}
