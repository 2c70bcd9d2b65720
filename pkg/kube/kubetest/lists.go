// SPDX-License-Identifier: Apache-2.0

package kubetest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// FullPod has something in every field that a forecast looks at, and in many
// that it does not.
func FullPod(i int) corev1.Pod {
	pod := Pod(fmt.Sprintf("p%04d", i), WithEmptyDir, OnNode("w1"))
	at := metav1.NewTime(time.Unix(1_700_000_000+int64(i), 0))
	seconds := int64(i)
	pod.CreationTimestamp, pod.Spec.TerminationGracePeriodSeconds = at, &seconds
	pod.Annotations = map[string]string{"a": strings.Repeat("x", i%300)}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)}}
	pod.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	apart := []corev1.PodAffinityTerm{{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}}}
	pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: apart}}
	pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone",
		WhenUnsatisfiable: corev1.DoNotSchedule}}
	pod.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	claim := corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "c", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &claim}},
		corev1.Volume{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/x"}}})
	container := corev1.Container{
		Name: "web", Image: "registry/web:1", Args: []string{"--x"}, Env: []corev1.EnvVar{{Name: "A",
			Value: "b"}}, Ports: []corev1.ContainerPort{{HostPort: 80, ContainerPort: 80}},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}},
	}
	pod.Spec.Containers, pod.Spec.InitContainers = []corev1.Container{container, container}, []corev1.Container{container}
	pod.Status.PodIP = "10.0.0.1"
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "web", RestartCount: int32(i), ImageID: "sha256:0", ContainerID: "containerd://0",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
	}}
	return *pod
}

// Encoders are the ways in which API servers write a list.
func Encoders() map[string]runtime.Encoder {
	typer := scheme.Scheme
	return map[string]runtime.Encoder{
		"protobuf in one piece": protobuf.NewSerializer(typer, typer),
		"protobuf as a stream":  protobuf.NewSerializerWithOptions(typer, typer, protobuf.SerializerOptions{StreamingCollectionsEncoding: true}),
		"JSON": jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, typer, typer,
			jsonserializer.SerializerOptions{}),
	}
}

// Encoded is the list as a server writes it.
func Encoded(t *testing.T, encoder runtime.Encoder, list runtime.Object) []byte {
	t.Helper()
	gvks, _, err := scheme.Scheme.ObjectKinds(list)
	if err != nil {
		t.Fatal(err)
	}
	list.GetObjectKind().SetGroupVersionKind(gvks[0])
	var out bytes.Buffer
	if err := encoder.Encode(list, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// ServeLists serve what a recorder has, and count what is asked for.
func ServeLists(t *testing.T, encoder runtime.Encoder, objects map[string]runtime.Object) (kubernetes.Interface, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String())
		list, known := objects[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if !known {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`))
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		if strings.Contains(r.Header.Get("Accept"), "protobuf") {
			w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
			_, _ = w.Write(Encoded(t, encoder, list))
			return
		}
		_, _ = w.Write(Encoded(t, Encoders()["JSON"], list))
	}))
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client, &asked
}
