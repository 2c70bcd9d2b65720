// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The size of the recorded cluster: a node has 30 pods, 5 of them of DaemonSets.
const (
	bigNodes  = 5000
	bigPods   = 150_000
	perApp    = 15
	perBudget = 3 // apps of which one has a budget
)

// BenchmarkPlanOfABigCluster runs "drain --plan" as a process of its own against
// recorded lists in protobuf, of 5,000 nodes and 150,000 pods, and tells its
// wall time and its peak resident memory.
func BenchmarkPlanOfABigCluster(b *testing.B) {
	dir := b.TempDir()
	record(b, dir)
	program := built(b, b.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.URL.Path)))
	}))
	b.Cleanup(server.Close)
	for _, selected := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("%d nodes", selected), func(b *testing.B) {
			var peak int64
			for b.Loop() {
				args := fmt.Sprintf("drain -l pool-%d=yes --ignore-daemonsets --delete-emptydir-data --max-parallel 10 --plan --server %s",
					selected, server.URL)
				cmd := exec.CommandContext(b.Context(), program, strings.Fields(args)...)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 3 {
					b.Fatalf("%v: %s", err, out.String())
				}
				if !strings.Contains(out.String(), "WAVES") {
					b.Fatal(out.String())
				}
				peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/plan")
			b.ReportMetric(float64(peak)/1024, "MiB-peak")
		})
	}
}

// built builds the plugin as "make build" does: a test's own program is bigger.
func built(b *testing.B, dir string) string {
	b.Helper()
	program := filepath.Join(dir, "kubectl-lifecycle")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return program
}

// wireObject is what protobuf is made from.
type wireObject interface{ Marshal() ([]byte, error) }

// record writes the lists of a big cluster as an API server sends them.
func record(b *testing.B, dir string) {
	b.Helper()
	write(b, dir, recorded{"nodes", "v1", "NodeList"}, bigNodes, bigNode)
	write(b, dir, recorded{"pods", "v1", "PodList"}, bigPods, bigPod)
	apps := bigPods * 5 / 6 / perApp
	write(b, dir, recorded{"replicasets", "apps/v1", "ReplicaSetList"}, apps*2, func(i int) wireObject { return bigReplicaSet(i, apps) })
	write(b, dir, recorded{"deployments", "apps/v1", "DeploymentList"}, apps, func(i int) wireObject {
		n, labels := int32(perApp), map[string]string{"app": fmt.Sprint("app-", i)}
		return &appsv1.Deployment{ObjectMeta: bigMeta(fmt.Sprint("app-", i), i, "d", labels), Spec: appsv1.DeploymentSpec{Replicas: &n,
			Template: bigTemplate(labels)}}
	})
	write(b, dir, recorded{"statefulsets", "apps/v1", "StatefulSetList"}, 0, nil)
	write(b, dir, recorded{"daemonsets", "apps/v1", "DaemonSetList"}, 5, func(i int) wireObject {
		return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: fmt.Sprint("ds-", i),
			UID: types.UID(fmt.Sprint("ds-", i))}}
	})
	write(b, dir, recorded{"poddisruptionbudgets", "policy/v1", "PodDisruptionBudgetList"}, apps/perBudget, func(i int) wireObject {
		needed := intstr.FromInt32(perApp - 2)
		labels := map[string]string{"app": fmt.Sprint("app-", i*perBudget)}
		return &policyv1.PodDisruptionBudget{
			ObjectMeta: bigMeta(fmt.Sprint("app-", i*perBudget), i*perBudget, "b", labels),
			Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &needed, Selector: &metav1.LabelSelector{MatchLabels: labels}},
			Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: perApp - 2, CurrentHealthy: perApp, DisruptionsAllowed: 2,
				ExpectedPods: perApp},
		}
	})
}

// recorded is a list: the end of its URL's path, its version and its kind.
type recorded struct{ name, version, kind string }

// write puts the list into the envelope of runtime.Unknown.
func write(b *testing.B, dir string, list recorded, n int, object func(int) wireObject) {
	b.Helper()
	body, err := os.Create(filepath.Join(dir, list.name+".body"))
	if err != nil {
		b.Fatal(err)
	}
	w, size := bufio.NewWriterSize(body, 1<<20), 0
	put := func(field int, raw []byte) {
		head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3|2)), uint64(len(raw)))
		_, _ = w.Write(head)
		_, _ = w.Write(raw)
		size += len(head) + len(raw)
	}
	meta, _ := (&metav1.ListMeta{ResourceVersion: "1"}).Marshal()
	put(1, meta)
	for i := range n {
		raw, err := object(i).Marshal()
		if err != nil {
			b.Fatal(err)
		}
		put(2, raw)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	typeMeta, _ := (&runtime.TypeMeta{APIVersion: list.version, Kind: list.kind}).Marshal()
	head := append([]byte("k8s\x00\x0a"), byte(len(typeMeta)))
	head = binary.AppendUvarint(append(append(head, typeMeta...), 0x12), uint64(size))
	all, err := os.Create(filepath.Join(dir, list.name))
	if err != nil {
		b.Fatal(err)
	}
	_, _ = all.Write(head)
	_, _ = body.Seek(0, 0)
	if _, err := all.ReadFrom(body); err != nil {
		b.Fatal(err)
	}
	_, _ = all.Write([]byte{0x1a, 0, 0x22, 0})
	if err := all.Close(); err != nil {
		b.Fatal(err)
	}
	_ = os.Remove(body.Name())
}

func bigMeta(name string, i int, kind string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: fmt.Sprintf("team-%03d", i%200), Name: name, UID: types.UID(fmt.Sprintf("%s0000000-0000-0000-0000-%012d", kind,
			i)), ResourceVersion: fmt.Sprint(1000 + i),
		Labels: labels, CreationTimestamp: metav1.NewTime(time.Unix(1_760_000_000, 0)),
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager", Operation: "Update", APIVersion: "v1",
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(strings.Repeat(`{"f:spec":{"f:x":{}}}`, 40))}},
	}
}

func bigNode(i int) wireObject {
	node := &corev1.Node{ObjectMeta: bigMeta(fmt.Sprintf("node-%04d", i), i, "n", map[string]string{
		corev1.LabelHostname: fmt.Sprintf("node-%04d", i), corev1.LabelTopologyZone: fmt.Sprint("z",
			i%3), corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	})}
	node.Namespace = ""
	for _, n := range []int{1, 50, 500} {
		if i < n {
			node.Labels[fmt.Sprint("pool-", n)] = "yes"
		}
	}
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("16"),
		corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourcePods: resource.MustParse("110")}
	node.Status.Capacity = node.Status.Allocatable
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for k := range 50 {
		node.Status.Images = append(node.Status.Images,
			corev1.ContainerImage{Names: []string{fmt.Sprintf("registry.example.com/team/app-%d@sha256:%064d", k, k),
				fmt.Sprintf("registry.example.com/team/app-%d:v1", k)}, SizeBytes: 1 << 28})
	}
	return node
}

// bigReplicaSet is the current one of an app, or an old one.
func bigReplicaSet(i, apps int) wireObject {
	yes, n, app := true, int32(perApp), i%apps
	if i >= apps {
		n = 0
	}
	labels := map[string]string{"app": fmt.Sprint("app-", app)}
	rs := &appsv1.ReplicaSet{ObjectMeta: bigMeta(fmt.Sprintf("app-%d-%d", app, i), app, "r", labels),
		Spec: appsv1.ReplicaSetSpec{Replicas: &n, Template: bigTemplate(labels)}}
	rs.UID = types.UID(fmt.Sprintf("r0000000-0000-0000-0000-%012d", i))
	rs.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: fmt.Sprint("app-", app),
		UID: types.UID(fmt.Sprintf("d0000000-0000-0000-0000-%012d", app)), Controller: &yes}}
	return rs
}

func bigTemplate(labels map[string]string) corev1.PodTemplateSpec {
	mode, token, yes := int32(420), int64(3607), true
	seconds := int64(300)
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		RestartPolicy: "Always", DNSPolicy: "ClusterFirst", ServiceAccountName: "default", SchedulerName: "default-scheduler",
		EnableServiceLinks: &yes,
		Containers: []corev1.Container{{
			Name: "web", Image: "registry.example.com/team/web:v1.2.3", Env: []corev1.EnvVar{{Name: "A", Value: "b"}, {Name: "C", Value: "d"}},
			Ports: []corev1.ContainerPort{{ContainerPort: 8080, Protocol: "TCP"}},
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"),
				corev1.ResourceMemory: resource.MustParse("128Mi")}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080)}},
				PeriodSeconds: 10, TimeoutSeconds: 1},
			VolumeMounts: []corev1.VolumeMount{{Name: "token", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		}},
		Volumes: []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode,
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &token}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}},
			}}}}},
		Tolerations: []corev1.Toleration{
			{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &seconds},
			{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: &seconds},
		},
	}}
}

func bigPod(i int) wireObject {
	yes, node := true, i%bigNodes
	app := (i/6*5 + i%6) / perApp
	labels := map[string]string{"app": fmt.Sprint("app-", app), "pod-template-hash": "7c9f8d6b5d", "app.kubernetes.io/name": "web"}
	pod := &corev1.Pod{ObjectMeta: bigMeta(fmt.Sprintf("app-%d-7c9f8d6b5d-%d", app, i), app, "p", labels), Spec: bigTemplate(labels).Spec}
	pod.UID = types.UID(fmt.Sprintf("p0000000-0000-0000-0000-%012d", i))
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: fmt.Sprintf("app-%d-%d", app, app),
		UID: types.UID(fmt.Sprintf("r0000000-0000-0000-0000-%012d", app)), Controller: &yes}
	if i%6 == 5 {
		k := i / 6 % 5
		owner = metav1.OwnerReference{APIVersion: "apps/v1", Kind: "DaemonSet", Name: fmt.Sprint("ds-", k), UID: types.UID(fmt.Sprint("ds-", k)),
			Controller: &yes}
		pod.Namespace, pod.Labels = "kube-system", map[string]string{"app": fmt.Sprint("ds-", k)}
		pod.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}
	pod.OwnerReferences, pod.Spec.NodeName = []metav1.OwnerReference{owner}, fmt.Sprintf("node-%04d", node)
	at := func(s int) metav1.Time {
		return metav1.NewTime(pod.CreationTimestamp.Add(time.Duration(s) * time.Second))
	}
	for k, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodReadyToStartContainers, corev1.PodInitialized,
		corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue,
			LastTransitionTime: at(k + i%9)})
	}
	started := at(3)
	pod.Status.Phase, pod.Status.HostIP, pod.Status.PodIP, pod.Status.QOSClass = corev1.PodRunning, "10.1.2.3", "10.200.3.4",
		corev1.PodQOSBurstable
	pod.Status.StartTime, pod.Status.PodIPs = &started, []corev1.PodIP{{IP: "10.200.3.4"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "web", Ready: true, Started: &yes, Image: "registry.example.com/team/web:v1.2.3",
		ImageID: fmt.Sprintf("registry.example.com/team/web@sha256:%064d", i), ContainerID: fmt.Sprintf("containerd://%064d", i),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(4)}},
	}}
	return pod
}
