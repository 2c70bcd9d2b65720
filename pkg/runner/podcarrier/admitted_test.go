// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestWhatAdmissionChangesIsNamed(t *testing.T) {
	container := func(change func(*corev1.Container)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(&p.Spec.Containers[0]) }
	}
	yes, handler := true, &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"x"}}}
	cases := map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"nothing":            {func(*corev1.Pod) {}, ""},
		"AlwaysPullImages":   {container(func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }), "imagePullPolicy"},
		"a registry rewrite": {container(func(c *corev1.Container) { c.Image = "mirror/x" }), "image"},
		"a sidecar": {func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "istio-proxy"})
		}, "container istio-proxy is added"},
		"a sidecar before ours": {func(p *corev1.Pod) {
			p.Spec.Containers = append([]corev1.Container{{Name: "istio-proxy"}}, p.Spec.Containers...)
		}, "container istio-proxy is added"},
		"an init container": {func(p *corev1.Pod) { p.Spec.InitContainers = []corev1.Container{{Name: "vault-agent-init"}} },
			"container vault-agent-init (init) is added"},
		"an ephemeral container": {func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger"}}}
		}, "container debugger (ephemeral) is added"},
		"a variable": {container(func(c *corev1.Container) {
			c.Env = append(c.Env, corev1.EnvVar{Name: "DD_AGENT_HOST", Value: "secret"})
		}), "variable DD_AGENT_HOST is added"},
		"a variable of ours": {container(func(c *corev1.Container) {
			for i := range c.Env {
				if c.Env[i].Name == "LD_PRELOAD" {
					c.Env[i].Value = "/evil.so"
				}
			}
		}), "variable LD_PRELOAD is changed"},
		"a variable from a Secret": {container(func(c *corev1.Container) { c.Env[0].ValueFrom = &corev1.EnvVarSource{} }),
			"variable PATH is changed"},
		"variables from elsewhere": {container(func(c *corev1.Container) { c.EnvFrom = []corev1.EnvFromSource{{Prefix: "X"}} }), "envFrom"},
		"a volume": {func(p *corev1.Pod) { p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "auto-instr"}) },
			"volume auto-instr is added"},
		"another source of a volume": {func(p *corev1.Pod) { p.Spec.Volumes[1].HostPath.Path = "/srv" }, "spec.volumes"},
		"a mount": {container(func(c *corev1.Container) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "etc", MountPath: "/usr"})
		}), "volumeMounts"},
		"a mount that is writable": {container(func(c *corev1.Container) { c.VolumeMounts[1].ReadOnly = false }), "volumeMounts"},
		"the arguments":            {container(func(c *corev1.Container) { c.Args = []string{"x"} }), "args"},
		"the command":              {container(func(c *corev1.Container) { c.Command = []string{"x"} }), "command"},
		"the working directory":    {container(func(c *corev1.Container) { c.WorkingDir = "/x" }), "workingDir"},
		"privileges taken away": {container(func(c *corev1.Container) { c.SecurityContext.Privileged = new(bool) }),
			"securityContext"},
		"the user": {container(func(c *corev1.Container) { c.SecurityContext.RunAsUser = nil }), "securityContext"},
		"a security context of the pod": {func(p *corev1.Pod) { p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes} },
			"spec.securityContext"},
		"a hook":          {container(func(c *corev1.Container) { c.Lifecycle = &corev1.Lifecycle{PostStart: handler} }), "lifecycle"},
		"a probe":         {container(func(c *corev1.Container) { c.LivenessProbe = &corev1.Probe{} }), "livenessProbe"},
		"another account": {func(p *corev1.Pod) { p.Spec.ServiceAccountName = "admin" }, "spec.serviceAccountName"},
		"a token of an account": {func(p *corev1.Pod) { p.Spec.AutomountServiceAccountToken = &yes },
			"spec.automountServiceAccountToken"},
		"the host's IPC":       {func(p *corev1.Pod) { p.Spec.HostIPC = true }, "spec.hostIPC"},
		"another node":         {func(p *corev1.Pod) { p.Spec.NodeName = "worker-2" }, "spec.nodeName"},
		"the host's processes": {func(p *corev1.Pod) { p.Spec.HostPID = false }, "spec.hostPID"},
		"a virtual machine":    {func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("kata") }, "spec.runtimeClassName"},
		"a critical priority": {func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-cluster-critical" },
			"spec.priorityClassName"},
		"a toleration taken away": {func(p *corev1.Pod) { p.Spec.Tolerations = nil }, "spec.tolerations"},
		"its label":               {func(p *corev1.Pod) { delete(p.Labels, Label) }, "label " + Label},
		"another owner": {func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{{Name: "x"}} },
			"metadata.ownerReferences"},
		"a finalizer": {func(p *corev1.Pod) { p.Finalizers = []string{"x/y"} }, "metadata.finalizers"},
		"a device":    {container(func(c *corev1.Container) { c.Resources.Claims = []corev1.ResourceClaim{{Name: "gpu"}} }), "resources"},
		"a device by an annotation": {func(p *corev1.Pod) { p.Annotations = map[string]string{"cdi.k8s.io/x": "vendor.com/all=1"} },
			"annotation cdi.k8s.io/x is added"},
		"an annotation that CRI-O obeys": {func(p *corev1.Pod) { p.Annotations = map[string]string{"io.kubernetes.cri-o.Devices": "/dev/x"} },
			"annotation io.kubernetes.cri-o.Devices is added"},
		"two things": {func(p *corev1.Pod) { p.Spec.HostIPC, p.Spec.HostNetwork = true, false },
			"spec.hostIPC spec.hostNetwork"},
		"what the API server fills in by itself": {defaulted, ""},
		"an extended resource, whose device plugin adds mounts": {container(func(c *corev1.Container) {
			c.Resources.Limits = corev1.ResourceList{"vendor.example/device": resource.MustParse("1")}
		}), "resources"},
		"requests of a LimitRange for a pod that is " +
			"none": {container(func(c *corev1.Container) { c.Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1")} }), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := podOn("amd64")
			c.change(got)
			if changed := strings.Join(rewritten(podOn("amd64"), got), " "); changed != c.want {
				t.Errorf("changed %q, want %q", changed, c.want)
			}
		})
	}
}

// defaulted does what an API server of 1.36 does to a pod without a webhook.
func defaulted(p *corev1.Pod) {
	never, priority, mount := corev1.PreemptLowerPriority, int32(0), corev1.DefaultProcMount
	p.Spec.SchedulerName, p.Spec.SecurityContext, p.Spec.Priority, p.Spec.PreemptionPolicy = "default-scheduler", &corev1.PodSecurityContext{},
		&priority, &never
	p.Spec.ServiceAccountName, p.Spec.DeprecatedServiceAccount = "default", "default"
	p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "of-the-account"}}
	p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: "node.kubernetes.io/memory-pressure",
		Operator: corev1.TolerationOpExists})
	p.Spec.NodeSelector = map[string]string{"of": "the-namespace"}
	p.Spec.Containers[0].SecurityContext.ProcMount = &mount
	p.Annotations = map[string]string{"somebody": "wrote this"}
	p.UID, p.ResourceVersion = "1", "1"
}

func TestACriticalPodRequestsNothing(t *testing.T) {
	full := node("amd64")
	full.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue}}
	sent := podFor(podSpec{name: "n", namespace: "kube-system", operation: "inspect", node: full})
	got := sent.DeepCopy()
	got.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1")}
	if changed := rewritten(sent, got); len(changed) != 1 || changed[0] != "resources" {
		t.Errorf("changed %v: the kubelet would evict other pods for it", changed)
	}
}

func TestAPodThatWasMadeOtherThanRehearsedIsDeletedAtOnce(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		pod := a.(clienttesting.CreateActionImpl).GetObject().(*corev1.Pod).DeepCopy()
		if len(a.(clienttesting.CreateActionImpl).GetCreateOptions().DryRun) > 0 {
			return true, pod, nil
		}
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "sidecar"})
		return true, pod, client.Tracker().Add(pod)
	})
	_, err := (&Carrier{client: client, spec: podSpec{name: "lifecycle-worker-1-look", namespace: "kube-system", operation: "inspect",
		node: node("amd64")}}).make(t.Context(), quiet)
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "container sidecar is added") ||
		!strings.Contains(plan.HintOf(err), "mutatingwebhookconfigurations") {
		t.Errorf("error %v, hint %q", err, plan.HintOf(err))
	}
	if left, err := client.CoreV1().Pods("kube-system").List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) > 0 {
		t.Errorf("left: %d pods, %v", len(left.Items), err)
	}
}
