// SPDX-License-Identifier: Apache-2.0

package detach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// detaching waits for VolumeAttachments.
type detaching struct {
	client   kubernetes.Interface
	decision drain.Decision
	mirror   *kube.Mirror[*storagev1.VolumeAttachment]
	// used are the claims of the volumes that were looked up.
	used map[string]drain.Claim
	// drivers are those of the cluster, read once a volume is in the way.
	drivers *drivers
}

// stuckError is the error of Await for volumes that will not be
// detached: no part of their driver is left in the cluster. To wait longer is of no use. A
// host that is cleaned nevertheless may lose what was written last, so it takes a flag
// to go on.
type stuckError struct {
	// Volumes are sentences: the volume, its claim, its node and the cause.
	Volumes []string
}

// Error names the volumes and why they stay.
func (e *stuckError) Error() string {
	return "these volumes will not be detached: " + strings.Join(text.Capped(e.Volumes), "; ")
}

// Await waits until no volume is attached to the nodes of a decision,
// except those of the pods that stay: until then another node cannot mount
// them, and what is done to the host may lose data. What is said while it waits
// names the cause of each that is known. A timeout of 0 means no limit.
//
// The error is of class plan.TimedOut after the timeout, naming the volumes and
// their claims; or of class plan.Broken, with the way out, as soon as only such are
// left as will not be detached.
func Await(ctx context.Context, client kubernetes.Interface, d drain.Decision, timeout time.Duration, report plan.Report) error {
	ctx, cancel := drain.Within(ctx, timeout)
	defer cancel()
	changed := make(chan struct{}, 1)
	w := detaching{client: client, decision: d, used: map[string]drain.Claim{}}
	w.mirror = kube.NewMirror[*storagev1.VolumeAttachment](func() {
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
		if err := attachmentsOf(client, d).Follow(ctx, w.mirror); err != nil {
			fatal <- err
		}
	})
	said := ""
	for {
		var left []hanging
		if synced, _ := w.mirror.State(); synced {
			var err error
			if left, err = w.left(ctx); err != nil || len(left) == 0 {
				return err
			}
			if !slices.ContainsFunc(left, func(h hanging) bool { return !h.stuck }) {
				return stuckVolumes(left)
			}
		}
		if words := strings.Join(text.Capped(sentences(left)), "; "); words != said && report != nil {
			report("waiting until volumes are detached: %s", words)
			said = words
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
	if errors.Is(cause, drain.ErrTimeout) {
		err := fmt.Errorf("timed out after %s, volumes are attached still: %s", timeout, strings.Join(text.Capped(sentences(left)), "; "))
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
	for _, a := range w.mirror.All() {
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
			what = fmt.Sprintf("volume %s%s on %s", *volume, text.Choose(used.Name == "", "",
				" of claim "+used.Namespace+"/"+used.Name), a.Spec.NodeName)
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
func (w *detaching) claim(ctx context.Context, volume string) (drain.Claim, error) {
	if known, ok := w.used[volume]; ok {
		return known, nil
	}
	found, err := w.client.CoreV1().PersistentVolumes().Get(ctx, volume, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return drain.Claim{}, kube.UnreadList(err, "persistentvolumes")
	case found.Spec.ClaimRef != nil:
		w.used[volume] = drain.Claim{Namespace: found.Spec.ClaimRef.Namespace, Name: found.Spec.ClaimRef.Name}
	}
	return w.used[volume], nil
}

// attachmentsOf is the source of what is attached to the nodes.
func attachmentsOf(client kubernetes.Interface, d drain.Decision) kube.Source[*storagev1.VolumeAttachment] {
	names := d.Names()
	return kube.Source[*storagev1.VolumeAttachment]{
		Resource: "volumeattachments.storage.k8s.io",
		Keep:     func(a *storagev1.VolumeAttachment) bool { return slices.Contains(names, a.Spec.NodeName) },
		List: func(ctx context.Context, query metav1.ListOptions) ([]*storagev1.VolumeAttachment, metav1.ListMeta, error) {
			list, err := client.StorageV1().VolumeAttachments().List(ctx, query)
			if err != nil {
				return nil, metav1.ListMeta{}, err
			}
			return kube.Pointers(list.Items), list.ListMeta, nil
		},
		Watch: client.StorageV1().VolumeAttachments().Watch,
	}
}
