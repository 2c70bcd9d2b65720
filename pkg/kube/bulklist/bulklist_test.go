// SPDX-License-Identifier: Apache-2.0

package bulklist

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// bare is what podShape leaves of a pod.
func bare(pod corev1.Pod) corev1.Pod {
	p := *pod.DeepCopy()
	p.ManagedFields, p.Status.PodIP = nil, ""
	for _, list := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for i := range list {
			list[i].Image, list[i].Args, list[i].Env = "", nil, nil
		}
	}
	for i := range p.Status.ContainerStatuses {
		p.Status.ContainerStatuses[i].ImageID, p.Status.ContainerStatuses[i].ContainerID = "", ""
	}
	return p
}

func TestListsAreReadAsTheServerWritesThem(t *testing.T) {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	for i := range 1000 {
		list.Items = append(list.Items, kubetest.FullPod(i))
	}
	for name, encoder := range kubetest.Encoders() {
		t.Run(name, func(t *testing.T) {
			raw := kubetest.Encoded(t, encoder, list)
			i := 0
			err := decodeAll(t.Context(), bytes.NewReader(raw), PodShape(), func(pod *corev1.Pod) {
				want := bare(list.Items[i])
				if name == "JSON" {
					want = list.Items[i]
				}
				if !apiequality.Semantic.DeepEqual(*pod, want) {
					t.Errorf("pod %d is %+v\nwant %+v", i, *pod, want)
				}
				i++
			})
			if err != nil || i != len(list.Items) {
				t.Errorf("%d pods, %v", i, err)
			}
		})
	}
}

func TestAListThatEndsEarlyIsAnError(t *testing.T) {
	list := &corev1.PodList{Items: []corev1.Pod{kubetest.FullPod(1), kubetest.FullPod(2)}}
	raw := kubetest.Encoded(t, kubetest.Encoders()["protobuf as a stream"], list)
	for n := range raw[:len(raw)-4] { // the envelope ends with two empty fields
		if err := decodeAll(t.Context(), bytes.NewReader(raw[:n]), PodShape(), func(*corev1.Pod) {}); err == nil {
			t.Fatalf("%d of %d bytes are taken for all", n, len(raw))
		}
	}
}

// FuzzNoListPanics feeds what a server might send: what is left out of an object changes nothing of
// the rest of it, and no more is read than there is.
func FuzzNoListPanics(f *testing.F) {
	f.Add([]byte("k8s\x00\x0a\x00\x12\x04\x12\x02\x0a\x00"))
	if raw, err := (&corev1.PodList{Items: []corev1.Pod{kubetest.FullPod(1)}}).Marshal(); err == nil {
		envelope, err := (&runtime.Unknown{Raw: raw}).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte("k8s\x00"), envelope...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		total := 0
		err := frames(bufio.NewReader(bytes.NewReader(raw)), func(one []byte) error {
			if total += len(one); total > len(raw) {
				t.Errorf("%d bytes of objects in a list of %d", total, len(raw))
			}
			trimmed, err := PodShape().trim(nil, one)
			if err != nil {
				return err
			}
			var whole, pod corev1.Pod
			if whole.Unmarshal(one) != nil { // what is left out may be what is broken
				_ = pod.Unmarshal(trimmed)
				return nil
			}
			if err := pod.Unmarshal(trimmed); err != nil {
				t.Errorf("it is broken by what is left out: %v", err)
			}
			whole.ManagedFields, pod.ManagedFields = nil, nil
			if !reflect.DeepEqual(whole.ObjectMeta, pod.ObjectMeta) || whole.Spec.NodeName != pod.Spec.NodeName ||
				whole.Status.Phase != pod.Status.Phase || len(whole.Spec.Containers) != len(pod.Spec.Containers) {
				t.Errorf("%+v\nbecomes\n%+v", whole, pod)
			}
			return nil
		})
		if whole := bytes.HasPrefix(raw, []byte("k8s\x00")); err == nil && !whole {
			t.Error("it is no list, and is taken for one")
		}
	})
}
