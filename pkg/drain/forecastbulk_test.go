// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// fullPod has something in every field that a forecast looks at, and in many
// that it does not.
func fullPod(i int) corev1.Pod {
	pod := makePod(fmt.Sprintf("p%04d", i), withEmptyDir, onNode("w1"))
	at := metav1.NewTime(time.Unix(1_700_000_000+int64(i), 0))
	seconds := int64(i)
	pod.CreationTimestamp, pod.Spec.TerminationGracePeriodSeconds = at, &seconds
	pod.Annotations = map[string]string{"a": strings.Repeat("x", i%300)}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)}}
	pod.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone", LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}}}}}
	pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule}}
	pod.Spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	pod.Spec.Volumes = append(pod.Spec.Volumes,
		corev1.Volume{Name: "c", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
		corev1.Volume{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/lib/x"}}})
	container := corev1.Container{
		Name: "web", Image: "registry/web:1", Args: []string{"--x"}, Env: []corev1.EnvVar{{Name: "A", Value: "b"}}, Ports: []corev1.ContainerPort{{HostPort: 80, ContainerPort: 80}},
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

// encoders are the ways in which API servers write a list.
func encoders() map[string]runtime.Encoder {
	typer := scheme.Scheme
	return map[string]runtime.Encoder{
		"protobuf in one piece": protobuf.NewSerializer(typer, typer),
		"protobuf as a stream":  protobuf.NewSerializerWithOptions(typer, typer, protobuf.SerializerOptions{StreamingCollectionsEncoding: true}),
		"JSON":                  jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, typer, typer, jsonserializer.SerializerOptions{}),
	}
}

func encoded(t *testing.T, encoder runtime.Encoder, list runtime.Object) []byte {
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

func TestListsAreReadAsTheServerWritesThem(t *testing.T) {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	for i := range 1000 {
		list.Items = append(list.Items, fullPod(i))
	}
	for name, encoder := range encoders() {
		t.Run(name, func(t *testing.T) {
			raw := encoded(t, encoder, list)
			i := 0
			err := decodeAll(t.Context(), bytes.NewReader(raw), podShape(), func(pod *corev1.Pod) {
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
	list := &corev1.PodList{Items: []corev1.Pod{fullPod(1), fullPod(2)}}
	raw := encoded(t, encoders()["protobuf as a stream"], list)
	for n := range raw[:len(raw)-4] { // the envelope ends with two empty fields
		if err := decodeAll(t.Context(), bytes.NewReader(raw[:n]), podShape(), func(*corev1.Pod) {}); err == nil {
			t.Fatalf("%d of %d bytes are taken for all", n, len(raw))
		}
	}
}

func FuzzNoListPanics(f *testing.F) {
	f.Add([]byte("k8s\x00\x0a\x00\x12\x04\x12\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = frames(bufio.NewReader(bytes.NewReader(raw)), func(one []byte) error {
			trimmed, err := podShape().trim(nil, one)
			if err == nil {
				_ = new(corev1.Pod).Unmarshal(trimmed)
			}
			return nil
		})
	})
}

// lists serve what a recorder has, and count what is asked for.
func lists(t *testing.T, encoder runtime.Encoder, objects map[string]runtime.Object) (kubernetes.Interface, *[]string) {
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
			_, _ = w.Write(encoded(t, encoder, list))
			return
		}
		_, _ = w.Write(encoded(t, encoders()["JSON"], list))
	}))
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client, &asked
}

func TestScoutReadsOneListOfEachKindAndNothingElse(t *testing.T) {
	client, asked := lists(t, encoders()["protobuf as a stream"], scoutLists())
	outlook, err := Scout(context.Background(), client, Target{Names: []string{"w1"}}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, one := range *asked {
		path, _, _ := strings.Cut(one, "?")
		if !strings.HasPrefix(one, "GET ") || strings.Contains(one, "watch") || seen[path] {
			t.Errorf("asked for %s", one)
		}
		seen[path] = true
	}
	if len(outlook.Pods) != 3 || len(outlook.Nodes) != 1 || outlook.Paces["uid-ReplicaSet-web-7c"].Pods == 0 {
		t.Errorf("%d pods, %d nodes, paces %v", len(outlook.Pods), len(outlook.Nodes), outlook.Paces)
	}
}

// scoutLists is a cluster of two nodes with three pods on each.
func scoutLists() map[string]runtime.Object {
	pods := &corev1.PodList{}
	for i := range 6 {
		pod := fullPod(i)
		pod.Spec.NodeName = []string{"w1", "w2"}[i%2]
		pod.Status.Conditions[0].LastTransitionTime = metav1.NewTime(pod.CreationTimestamp.Add(5 * time.Second))
		pods.Items = append(pods.Items, pod)
	}
	return map[string]runtime.Object{
		"pods": pods, "nodes": &corev1.NodeList{Items: []corev1.Node{*makeNode("w1"), *makeNode("w2")}},
		"persistentvolumeclaims": &corev1.PersistentVolumeClaimList{}, "persistentvolumes": &corev1.PersistentVolumeList{},
		"poddisruptionbudgets": budgetList(), "replicasets": replicaSetList(), "deployments": deploymentList(), "statefulsets": statefulSetList(),
	}
}

func TestScoutNotesWhatIsOnlyGoodForAdvice(t *testing.T) {
	objects := scoutLists()
	for _, resource := range []string{"persistentvolumes", "deployments", "replicasets"} {
		delete(objects, resource)
	}
	client, _ := lists(t, encoders()["protobuf in one piece"], objects)
	outlook, err := Scout(context.Background(), client, Target{Names: []string{"w1"}}, DefaultOptions())
	if err != nil || len(outlook.Notes) != 3 {
		t.Errorf("%v, notes %q", err, outlook.Notes)
	}
	delete(objects, "pods")
	client, _ = lists(t, encoders()["protobuf in one piece"], objects)
	if _, err = Scout(context.Background(), client, Target{Names: []string{"w1"}}, DefaultOptions()); plan.ClassOf(err) != plan.Refused {
		t.Errorf("without pods: %v", err)
	}
}
