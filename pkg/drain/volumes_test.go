// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// attached is a volume, bound to the claim shop/claim, attached to a node.
func attached(t *testing.T, client *fake.Clientset, volume, claim, node string) {
	t.Helper()
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: volume}, Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "shop", Name: claim}}}
	va := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "a-" + volume}, Spec: storagev1.VolumeAttachmentSpec{Attacher: "csi.test", NodeName: node, Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &volume}}}
	_, err := client.CoreV1().PersistentVolumes().Create(t.Context(), pv, metav1.CreateOptions{})
	if err == nil {
		_, err = client.StorageV1().VolumeAttachments().Create(t.Context(), va, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// claiming makes a pod use a claim.
func claiming(pod *corev1.Pod, claim string) *corev1.Pod {
	using(claim)(pod)
	return pod
}

func TestAwaitVolumesPassesOverThoseOfPodsThatStay(t *testing.T) {
	client := newClient(makeDaemonSet(), claiming(makePod("agent", ofDaemonSet), "of-agent"), makePod("web"))
	attached(t, client, "pv-agent", "of-agent", theNode)
	attached(t, client, "pv-elsewhere", "other", "w2")
	d := decideOn(t, client, Options{IgnoreDaemonSets: true, GracePeriodSeconds: -1, MaxParallel: "1"})
	var heard says
	if err := AwaitVolumes(t.Context(), client, d, time.Minute, Listener{Report: heard.report}); err != nil || len(heard.all()) > 0 {
		t.Errorf("%v, said %q", err, heard.all())
	}
}

func TestAwaitVolumesWaitsForTheOthersAndNamesThem(t *testing.T) {
	client := newClient(makeReplicaSet(), claiming(makePod("web"), "of-web"))
	attached(t, client, "pv-web", "of-web", theNode)
	d := decideOn(t, client, DefaultOptions())
	err := AwaitVolumes(t.Context(), client, d, 100*time.Millisecond, Listener{})
	if plan.ClassOf(err) != plan.TimedOut || !strings.Contains(err.Error(), "volume pv-web of claim shop/of-web on w1") {
		t.Errorf("%v of class %v", err, plan.ClassOf(err))
	}
	said := make(chan struct{})
	done := make(chan error)
	go func() {
		done <- AwaitVolumes(t.Context(), client, d, time.Minute, Listener{Report: func(string, ...any) { close(said) }})
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
	attached(t, client, "pv-again", "of-web", theNode)
	if err := AwaitVolumes(ctx, client, d, 0, Listener{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
