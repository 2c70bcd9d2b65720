// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Claim names a PersistentVolumeClaim in use on a node.
type Claim struct{ Node, Namespace, Name string }

// ClaimsOf are the claims that a pod uses on its node; those of ephemeral
// volumes are named after pod and volume.
func ClaimsOf(pod *corev1.Pod) []Claim {
	var out []Claim
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			out = append(out, Claim{pod.Spec.NodeName, pod.Namespace, v.PersistentVolumeClaim.ClaimName})
		case v.Ephemeral != nil:
			out = append(out, Claim{pod.Spec.NodeName, pod.Namespace, pod.Name + "-" + v.Name})
		}
	}
	return out
}

// detaching waits for VolumeAttachments.
type detaching struct {
	client   kubernetes.Interface
	decision Decision
	mirror   *mirror[*storagev1.VolumeAttachment]
	// used are the claims of the volumes that were looked up.
	used map[string]Claim
	// drivers are those of the cluster, read once a volume is in the way.
	drivers *drivers
}

// stuckError is the error of AwaitVolumes for volumes that will not be
// detached: no part of their driver is left in the cluster. To wait longer is of no use. A
// host that is cleaned nevertheless may lose what was written last, so it takes a flag
// to go on.
type stuckError struct {
	// Volumes are sentences: the volume, its claim, its node and the cause.
	Volumes []string
}

// Error names the volumes and why they stay.
func (e *stuckError) Error() string {
	return "these volumes will not be detached: " + strings.Join(capped(e.Volumes), "; ")
}

// AwaitVolumes waits until no volume is attached to the nodes of a decision,
// except those of the pods that stay: until then another node cannot mount
// them, and what is done to the host may lose data. What is said while it waits
// names the cause of each that is known. A timeout of 0 means no limit.
//
// The error is of class plan.TimedOut after the timeout, naming the volumes and
// their claims; or of class plan.Broken, with the way out, as soon as only such are
// left as will not be detached.
func AwaitVolumes(ctx context.Context, client kubernetes.Interface, d Decision, timeout time.Duration, report plan.Report) error {
	ctx, cancel := within(ctx, timeout)
	defer cancel()
	changed := make(chan struct{}, 1)
	w := detaching{client: client, decision: d, used: map[string]Claim{}}
	w.mirror = newMirror[*storagev1.VolumeAttachment](func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	fatal := make(chan error, 1)
	var flight sync.WaitGroup
	defer flight.Wait()
	defer cancel()
	flight.Go(func() {
		if err := attachmentsOf(client, d).follow(ctx, w.mirror); err != nil {
			fatal <- err
		}
	})
	said := ""
	for {
		var left []hanging
		if synced, _ := w.mirror.state(); synced {
			var err error
			if left, err = w.left(ctx); err != nil || len(left) == 0 {
				return err
			}
			if !slices.ContainsFunc(left, func(h hanging) bool { return !h.stuck }) {
				return stuckVolumes(left)
			}
		}
		if text := strings.Join(capped(sentences(left)), "; "); text != said && report != nil {
			report("waiting until volumes are detached: %s", text)
			said = text
		}
		select {
		case <-ctx.Done():
			return w.gaveUp(context.Cause(ctx), left, timeout)
		case err := <-fatal:
			return err
		case <-changed:
		}
	}
}

func (w *detaching) gaveUp(cause error, left []hanging, timeout time.Duration) error {
	if errors.Is(cause, errTimeout) {
		err := fmt.Errorf("timed out after %s, volumes are attached still: %s", timeout, strings.Join(capped(sentences(left)), "; "))
		hint := waysOut(left)
		if hint == "" {
			hint = "see why: kubectl describe volumeattachments; kubectl get pods -A -o wide"
		}
		return plan.As(plan.TimedOut, plan.Hint(err, "%s", hint))
	}
	return fmt.Errorf("wait until volumes are detached: %w", cause)
}

func stuckVolumes(left []hanging) error {
	return plan.As(plan.Broken, plan.Hint(&stuckError{Volumes: sentences(left)}, "%s", waysOut(left)))
}

// left are the attachments that are in the way, sorted.
func (w *detaching) left(ctx context.Context) ([]hanging, error) {
	var out []hanging
	for _, a := range w.mirror.all() {
		what := fmt.Sprintf("an inline volume of %s on %s", a.Spec.Attacher, a.Spec.NodeName)
		if volume := a.Spec.Source.PersistentVolumeName; volume != nil {
			used, err := w.claim(ctx, *volume)
			if err != nil {
				return nil, err
			}
			used.Node = a.Spec.NodeName
			if slices.Contains(w.decision.Staying, used) {
				continue
			}
			what = fmt.Sprintf("volume %s%s on %s", *volume, choose(used.Name == "", "", " of claim "+used.Namespace+"/"+used.Name), a.Spec.NodeName)
		}
		if w.drivers == nil {
			drivers := readDrivers(ctx, w.client)
			w.drivers = &drivers
		}
		h := hangs(a, *w.drivers)
		h.what = what
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b hanging) int { return strings.Compare(a.what, b.what) })
	return out, nil
}

// claim is the claim that a volume is bound to; none if it is gone.
func (w *detaching) claim(ctx context.Context, volume string) (Claim, error) {
	if known, ok := w.used[volume]; ok {
		return known, nil
	}
	found, err := w.client.CoreV1().PersistentVolumes().Get(ctx, volume, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return Claim{}, unreadList(err, "persistentvolumes")
	case found.Spec.ClaimRef != nil:
		w.used[volume] = Claim{Namespace: found.Spec.ClaimRef.Namespace, Name: found.Spec.ClaimRef.Name}
	}
	return w.used[volume], nil
}

// attachmentsOf is the source of what is attached to the nodes.
func attachmentsOf(client kubernetes.Interface, d Decision) source[*storagev1.VolumeAttachment] {
	names := d.Names()
	return source[*storagev1.VolumeAttachment]{
		resource: "volumeattachments.storage.k8s.io",
		keep:     func(a *storagev1.VolumeAttachment) bool { return slices.Contains(names, a.Spec.NodeName) },
		list: func(ctx context.Context, query metav1.ListOptions) ([]*storagev1.VolumeAttachment, metav1.ListMeta, error) {
			list, err := client.StorageV1().VolumeAttachments().List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return pointers(list.Items), list.ListMeta, nil
		},
		watch: client.StorageV1().VolumeAttachments().Watch,
	}
}
