// SPDX-License-Identifier: Apache-2.0

package detach

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// attached is a volume, bound to the claim shop/claim, attached to a node.
func attached(t *testing.T, client *fake.Clientset, volume, claim, node string) {
	t.Helper()
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: volume},
		Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: claim}}}
	va := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "a-" + volume},
		Spec: storagev1.VolumeAttachmentSpec{Attacher: "csi.test", NodeName: node,
			Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &volume}}, Status: storagev1.VolumeAttachmentStatus{Attached: true}}
	_, err := client.CoreV1().PersistentVolumes().Create(t.Context(), pv, metav1.CreateOptions{})
	if err == nil {
		_, err = client.StorageV1().VolumeAttachments().Create(t.Context(), va, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAwaitVolumesPassesOverThoseOfPodsThatStay(t *testing.T) {
	client := kubetest.NewClient(kubetest.DaemonSet(), kubetest.Claiming(kubetest.Pod("agent", kubetest.OfDaemonSet), "of-agent"),
		kubetest.Pod("web"))
	attached(t, client, "pv-agent", "of-agent", kubetest.TheNode)
	attached(t, client, "pv-elsewhere", "other", "w2")
	d := draintest.Decide(t, client, drain.Options{IgnoreDaemonSets: true, GracePeriodSeconds: -1, MaxParallel: "1"})
	var heard kubetest.Says
	if err := Await(t.Context(), client, d, time.Minute, heard.Report); err != nil || len(heard.All()) > 0 {
		t.Errorf("%v, said %q", err, heard.All())
	}
}

func TestAwaitVolumesWaitsForTheOthersAndNamesThem(t *testing.T) {
	driver := &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: "csi.test"}}
	client := kubetest.NewClient(kubetest.ReplicaSet(), driver, kubetest.Claiming(kubetest.Pod("web"), "of-web"))
	attached(t, client, "pv-web", "of-web", kubetest.TheNode)
	d := draintest.Decide(t, client, drain.DefaultOptions())
	err := Await(t.Context(), client, d, 100*time.Millisecond, nil)
	if plan.ClassOf(err) != plan.TimedOut || !strings.Contains(err.Error(), "volume pv-web of claim shop/of-web on w1") {
		t.Errorf("%v of class %v", err, plan.ClassOf(err))
	}
	said := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- Await(t.Context(), client, d, time.Minute, func(string, ...any) { close(said) })
	}()
	<-said
	if err := client.StorageV1().VolumeAttachments().Delete(t.Context(), "a-pv-web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after it was detached: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	attached(t, client, "pv-again", "of-web", kubetest.TheNode)
	if err := Await(ctx, client, d, 0, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// Members of one kind: who is to detach it, and what is seen of that.
func TestWhatKeepsAVolumeAttachedIsKnownAtOnce(t *testing.T) {
	deleted := metav1.NewTime(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC))
	failed := &storagev1.VolumeError{Message: "rpc error:\n\x1b[31mstill in use"}
	there := drivers{known: true, names: map[string]bool{"csi.test": true}}
	for _, tc := range []struct {
		name   string
		change func(*storagev1.VolumeAttachment)
		have   drivers
		stuck  bool
		why    []string
		way    string
	}{
		{"attached, and its driver is there", func(a *storagev1.VolumeAttachment) { a.Status.Attached = true }, there, false, nil, ""},
		{"never attached", nil, there, false, []string{"status.attached is not true"}, "kubectl describe volumeattachment va"},
		{"it fails to detach", func(a *storagev1.VolumeAttachment) { a.Status.Attached, a.Status.DetachError = true, failed }, there, false,
			[]string{"detach failed: rpc error: [31mstill in use"}, "kubectl describe volumeattachment va"},
		{"it failed to attach", func(a *storagev1.VolumeAttachment) { a.Status.AttachError = failed }, there, false,
			[]string{"attach failed: rpc error"}, "kubectl describe volumeattachment va"},
		{"no driver, never attached", nil, drivers{known: true}, true, []string{"not true", "no CSIDriver csi.test"},
			"kubectl delete volumeattachment va --wait=false"},
		{"no driver, attached", func(a *storagev1.VolumeAttachment) { a.Status.Attached = true }, drivers{known: true}, true,
			[]string{"no CSIDriver csi.test in the cluster, and no node has it"}, "kubectl delete volumeattachment va --wait=false"},
		{"no driver, being deleted", func(a *storagev1.VolumeAttachment) {
			a.DeletionTimestamp, a.Finalizers = &deleted, []string{"external-attacher/csi-test"}
		}, drivers{known: true}, true, []string{"being deleted since 2026-09-01T12:00:00Z and held by the finalizer " +
			"external-attacher/csi-test"}, "kubectl patch volumeattachment va --type=merge -p '{\"metadata\":{\"finalizers\":null}}'"},
		{"drivers that may not be read are not called missing", func(a *storagev1.VolumeAttachment) { a.DeletionTimestamp = &deleted }, drivers{},
			false, []string{"being deleted since"}, "kubectl describe volumeattachment va"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "va"}, Spec: storagev1.VolumeAttachmentSpec{Attacher: "csi.test"}}
			if tc.change != nil {
				tc.change(a)
			}
			got := hangs(a, tc.have)
			if got.stuck != tc.stuck || got.way != tc.way || (len(tc.why) == 0) != (got.why == "") {
				t.Errorf("got %+v", got)
			}
			for _, want := range tc.why {
				if !strings.Contains(got.why, want) {
					t.Errorf("%q lacks %q", got.why, want)
				}
			}
		})
	}
}

func TestAwaitVolumesEndsWhereNobodyWillDetach(t *testing.T) {
	for name, objects := range map[string][]runtime.Object{
		"no driver at all": nil,
		"a CSIDriver":      {&storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: "csi.test"}}},
		"a node has it": {&storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "w2"},
			Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: "csi.test"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			client := kubetest.NewClient(append(objects, kubetest.ReplicaSet(), kubetest.Claiming(kubetest.Pod("web"), "of-web"))...)
			attached(t, client, "pv-web", "of-web", kubetest.TheNode)
			err := Await(t.Context(), client, draintest.Decide(t, client, drain.DefaultOptions()), 100*time.Millisecond, nil)
			var stuck *stuckError
			if got := errors.As(err, &stuck); got != (objects == nil) {
				t.Fatalf("%v of class %v", err, plan.ClassOf(err))
			}
			if stuck != nil && (plan.ClassOf(err) != plan.Broken || !strings.Contains(err.Error(), "claim shop/of-web") ||
				!strings.Contains(plan.HintOf(err), "kubectl delete volumeattachment a-pv-web")) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}
