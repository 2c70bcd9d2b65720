// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// runs is a pod with one container that runs on worker-1; change makes it another.
func runs(namespace, name, container, image string, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.NodeName = "worker-1"
	p.Spec.Containers = []corev1.Container{{Name: container, Image: image}}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: container, Image: image,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	for _, c := range change {
		c(&p)
	}
	return p
}

func ownedBy(apiVersion, kind, name string, uid types.UID) func(*corev1.Pod) {
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: uid, Controller: &yes}}
	}
}

func ofSet(name string) func(*corev1.Pod) {
	return ownedBy("apps/v1", "DaemonSet", name, types.UID("uid-"+name))
}

func mirror(p *corev1.Pod) {
	p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	ownedBy("v1", "Node", "worker-1", "node-uid")(p)
}

func hostNetwork(p *corev1.Pod) { p.Spec.HostNetwork = true }

func pullSecret(p *corev1.Pod) { p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "s"}} }

func waits(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = corev1.ContainerState{} }

// crashes is a container that has run, and that the kubelet starts again in a while.
func crashes(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].ImageID = "sha256:of-an-unknown-form"
	p.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
}

func waitsFor(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
}

func notController(p *corev1.Pod) { p.OwnerReferences[0].Controller = nil }

func sidecarFirst(p *corev1.Pod) {
	p.Spec.Containers = append([]corev1.Container{{Name: "istio-proxy", Image: "istio:1"}}, p.Spec.Containers...)
	p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "istio-proxy",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
}

func ephemeral(p *corev1.Pod) {
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "kube-proxy",
		Image: "evil:1"}}}
	p.Spec.Containers[0].Name = "other"
}

// daemonSet is one whose template has a container of that name.
func daemonSet(namespace, name, container string) *appsv1.DaemonSet {
	d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-" + name)}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: container}}
	return d
}

func TestOnlyAnImageOfTheClustersOwnerRunsPrivileged(t *testing.T) {
	worker := node("amd64")
	worker.UID, worker.Status.NodeInfo.KubeletVersion = "node-uid", "v1.36.3"
	worker.Status.Images = []corev1.ContainerImage{{Names: []string{"docker.io/mallory/evil:1"}}}
	old := worker.DeepCopy()
	old.Status.NodeInfo.KubeletVersion = "v1.34.9"
	proxy := runs("kube-system", "kube-proxy-x", "kube-proxy", "proxy:1", ofSet("kube-proxy"))
	evil := runs("dev", "kube-proxy-x", "kube-proxy", "docker.io/mallory/evil:1")
	cases := map[string]struct {
		node *corev1.Node
		pods []corev1.Pod
		want string
	}{
		"kube-proxy's before a tenant's of that container name": {worker, []corev1.Pod{evil, proxy}, "proxy:1"},
		"kube-proxy's before that of a static pod": {worker, []corev1.Pod{runs("kube-system", "a", "vip", "vip:1", mirror),
			proxy}, "proxy:1"},
		"a static pod's where there is no kube-proxy": {worker,
			[]corev1.Pod{evil, runs("kube-system", "vip", "vip", "vip:1", mirror)}, "vip:1"},
		"a network's in a namespace that only has its name": {worker,
			[]corev1.Pod{runs("calico-system", "c", "calico-node", "calico:1", ofSet("calico-node"), hostNetwork)}, ""},
		"the network's as a last resort": {worker,
			[]corev1.Pod{evil, runs("kube-flannel", "f", "kube-flannel", "flannel:1", ofSet("kube-flannel-ds"), hostNetwork)}, "flannel:1"},
		"a network's in kube-system": {worker,
			[]corev1.Pod{runs("kube-system", "c", "cilium-agent", "cilium:1", ofSet("cilium"))}, "cilium:1"},

		"no tenant's, whatever its container is called": {worker, []corev1.Pod{evil}, ""},
		"none of Node.status":                           {worker, nil, ""},
		"none of a pod of kube-system that nobody known controls": {worker,
			[]corev1.Pod{runs("kube-system", "debug", "kube-proxy", "evil:1")}, ""},
		"none of a DaemonSet of that name in another namespace": {worker,
			[]corev1.Pod{runs("dev", "k", "kube-proxy", "evil:1", ofSet("kube-proxy"))}, ""},
		"none that names the DaemonSet with another UID": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "evil:1", ownedBy("apps/v1", "DaemonSet", "kube-proxy", "forged"))}, ""},
		"none that names a DaemonSet of another API": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "evil:1", ownedBy("evil.example/v1", "DaemonSet", "kube-proxy",
				"uid-kube-proxy"))}, ""},
		"none that the DaemonSet owns but does not control": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "evil:1", ofSet("kube-proxy"), notController)}, ""},
		"none with the mirror's annotation in a tenant's namespace": {worker, []corev1.Pod{runs("dev", "m", "c", "evil:1", mirror)}, ""},
		"none with the mirror's annotation alone": {worker, []corev1.Pod{runs("kube-system", "m", "c", "evil:1", func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		})}, ""},
		"none of a mirror of another Node": {worker,
			[]corev1.Pod{runs("kube-system", "m", "c", "evil:1", mirror, ownedBy("v1", "Node", "worker-1", "earlier"))}, ""},
		"none of a network's DaemonSet that is not in its network": {worker,
			[]corev1.Pod{runs("kube-flannel", "f", "kube-flannel", "evil:1", ofSet("kube-flannel-ds"))}, ""},
		"none of a network's name in a tenant's namespace": {worker,
			[]corev1.Pod{runs("dev", "f", "kube-flannel", "evil:1", ofSet("kube-flannel-ds"), hostNetwork)}, ""},
		"none of a sidecar that was put into kube-proxy": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "proxy:1", ofSet("kube-proxy"), sidecarFirst)}, "proxy:1"},
		"none of an ephemeral container": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "proxy:1", ofSet("kube-proxy"), ephemeral)}, ""},
		"none that has not started": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "proxy:1", ofSet("kube-proxy"), waits)}, ""},
		"one that has run and waits to run again": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "proxy:1", ofSet("kube-proxy"), waits, crashes)}, "proxy:1"},
		"none that was pulled with a secret, since Kubernetes 1.35": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "private:1", ofSet("kube-proxy"), pullSecret)}, ""},
		"a static pod's before one that was pulled with a secret": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "private:1", ofSet("kube-proxy"), pullSecret),
				runs("kube-system", "vip", "vip", "vip:1", mirror)}, "vip:1"},
		"one that was pulled with a secret, before Kubernetes 1.35": {old,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "private:1", ofSet("kube-proxy"), pullSecret)}, "private:1"},
		"by content, so that nobody can move the name under the pod": {worker,
			[]corev1.Pod{runs("kube-system", "k", "kube-proxy", "r.example:5000/proxy:1", ofSet("kube-proxy"),
				func(p *corev1.Pod) { p.Status.ContainerStatuses[0].ImageID = "r.example:5000/proxy@" + someDigest })},
			"r.example:5000/proxy@" + someDigest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(administered("kube-flannel"), daemonSet("calico-system", "calico-node", "calico-node"),
				daemonSet("kube-system", "kube-proxy", "kube-proxy"), daemonSet("kube-flannel", "kube-flannel-ds", "kube-flannel"),
				daemonSet("kube-system", "cilium", "cilium-agent"), daemonSet("dev", "kube-proxy", "kube-proxy"), daemonSet("dev",
					"kube-flannel-ds", "kube-flannel"))
			got, err := images{client, ""}.pick(t.Context(), c.node, c.pods)
			if got.image != c.want || (err == nil) != (c.want != "") {
				t.Fatalf("image %+v, error %v, want %q", got, err, c.want)
			}
			if err != nil && (plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--runner-image")) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// After a start of the kubelet the pods of a node have no image for a moment.
func TestAnImageThatIsAboutToBeKnownIsWaitedFor(t *testing.T) {
	kubeProxyPod := func(change ...func(*corev1.Pod)) corev1.Pod {
		return runs("kube-system", "k", "kube-proxy", "proxy:1", append([]func(*corev1.Pod){ofSet("kube-proxy")}, change...)...)
	}
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	goes := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }
	forged := ownedBy("apps/v1", "DaemonSet", "kube-proxy", "forged")
	running := kubeProxyPod()
	cases := map[string]struct {
		first corev1.Pod
		waits bool
	}{
		"the container is being made":                       {kubeProxyPod(waitsFor("ContainerCreating")), true},
		"a container before it is being made":               {kubeProxyPod(waitsFor("PodInitializing")), true},
		"a state that says nothing":                         {kubeProxyPod(waits), true},
		"no state":                                          {kubeProxyPod(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil }), true},
		"its image cannot be pulled":                        {kubeProxyPod(waitsFor("ImagePullBackOff")), false},
		"its image is not there and may not be pulled":      {kubeProxyPod(waitsFor("ErrImageNeverPull")), false},
		"the pod is over":                                   {kubeProxyPod(waits, failed), false},
		"the pod goes":                                      {kubeProxyPod(waits, goes), false},
		"a tenant's pod, which is never waited for":         {runs("dev", "k", "kube-proxy", "evil:1", ofSet("kube-proxy"), waits), false},
		"a pod of another DaemonSet of that name, as above": {kubeProxyPod(waits, forged), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(daemonSet("kube-system", "kube-proxy", "kube-proxy"), &running)
			var told []string
			got, err := images{client, ""}.await(t.Context(), node("amd64"), []corev1.Pod{c.first},
				func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) })
			if c.waits && (err != nil || got.image != "proxy:1" || len(told) != 1 || !strings.Contains(told[0], "kube-system/k")) {
				t.Errorf("%+v, %v, told %q", got, err, told)
			}
			if !c.waits && (err == nil || len(told) != 0 || !strings.Contains(plan.HintOf(err), "--runner-image")) {
				t.Errorf("%+v, %v, told %q", got, err, told)
			}
		})
	}
}

// administered is a namespace in which only administrators may create pods.
func administered(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{kube.EnforceLabel: kube.EnforcePrivileged}}}
}

func TestWhoseTheImageIsIsSaid(t *testing.T) {
	flannel := runs("kube-flannel", "f", "kube-flannel", "flannel:1", ofSet("kube-flannel-ds"), hostNetwork)
	got, err := images{fake.NewClientset(administered("kube-flannel"), daemonSet("kube-flannel", "kube-flannel-ds", "kube-flannel")),
		""}.pick(t.Context(), node("amd64"), []corev1.Pod{flannel})
	if err != nil || !strings.Contains(got.of, "kube-flannel/kube-flannel-ds, the network's: neither kube-proxy nor a static pod") {
		t.Errorf("%+v, %v", got, err)
	}
	gone, err := images{fake.NewClientset(), ""}.pick(t.Context(), node("amd64"), []corev1.Pod{flannel})
	if err == nil {
		t.Errorf("the image of a DaemonSet that is no more: %+v", gone)
	}
	client := fake.NewClientset()
	client.PrependReactor("get", "daemonsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(appsv1.Resource("daemonsets"), "kube-flannel-ds", nil)
	})
	_, err = images{client, ""}.pick(t.Context(), node("amd64"), []corev1.Pod{flannel})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "daemonsets in kube-flannel") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	if named, err := (images{client, "mine:1"}).pick(t.Context(), node("amd64"), []corev1.Pod{flannel}); err != nil ||
		named.image != "mine:1" {
		t.Errorf("one that was named: %+v, %v", named, err)
	}
}

func TestAnImageIsReferredToByContentWhereItCan(t *testing.T) {
	cases := map[string]struct{ image, id, want string }{
		"pulled by a tag": {"registry.k8s.io/kube-proxy:v1.36.3", "registry.k8s.io/kube-proxy@" + someDigest,
			"registry.k8s.io/kube-proxy@" + someDigest},
		"pulled by a digest": {"registry.k8s.io/kube-proxy@" + someDigest, "registry.k8s.io/kube-proxy@" + someDigest,
			"registry.k8s.io/kube-proxy@" + someDigest},
		"a registry with a port":     {"10.0.0.1:5000/proxy", "10.0.0.1:5000/proxy@" + someDigest, "10.0.0.1:5000/proxy@" + someDigest},
		"imported, without a digest": {"registry.k8s.io/kube-proxy:v1.36.3", someDigest, someDigest},
		"under another name, too": {"registry.k8s.io/kube-proxy:v1.36.3", "evil.example/kube-proxy@" + someDigest,
			"registry.k8s.io/kube-proxy:v1.36.3"},
		"of cri-dockerd": {"registry.k8s.io/kube-proxy:v1", "docker-pullable://registry.k8s.io/kube-proxy@" + someDigest,
			"registry.k8s.io/kube-proxy@" + someDigest},
		"a digest that is none": {"a:1", "a@sha256:../../x", "a:1"},
		"nothing is known":      {"a:1", "", "a:1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := reference(c.image, c.id); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
