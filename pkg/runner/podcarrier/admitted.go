// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// rewritten names what is not in a pod as it was sent: an admission plugin or a
// webhook that adds a sidecar, a variable or a volume would have its own code in
// the privileged pod, or read what is streamed into it; one that takes privileges
// away would make it fail. Every field is compared, those of later versions of
// the API too, but for what the server itself fills in (settle). It is pure; the
// names are sorted.
func rewritten(sent, got *corev1.Pod) []string {
	want, have := sent.DeepCopy(), got.DeepCopy()
	settle(want, have)
	changed := differing("spec.", reflect.ValueOf(want.Spec), reflect.ValueOf(have.Spec), "containers", "initContainers",
		"ephemeralContainers", "volumes")
	changed = append(changed, membersOf("container", containerNames(want), containerNames(have))...)
	changed = append(changed, membersOf("volume", volumeNames(want), volumeNames(have))...)
	if len(changed) == 0 && !equality.Semantic.DeepEqual(want.Spec.Volumes, have.Spec.Volumes) {
		changed = append(changed, "spec.volumes")
	}
	for i := range want.Spec.Containers {
		j := slices.IndexFunc(have.Spec.Containers, func(c corev1.Container) bool { return c.Name == want.Spec.Containers[i].Name })
		if j < 0 {
			continue
		}
		a, b := want.Spec.Containers[i], have.Spec.Containers[j]
		changed = append(changed, differing("", reflect.ValueOf(a), reflect.ValueOf(b), "env")...)
		changed = append(changed, differingVariables(a.Env, b.Env)...)
	}
	for name := range have.Annotations {
		if _, sent := want.Annotations[name]; !sent && forRuntime(name) {
			changed = append(changed, "annotation "+name+" is added")
		}
	}
	if want.Labels[Label] != have.Labels[Label] {
		changed = append(changed, "label "+Label)
	}
	if !equality.Semantic.DeepEqual(want.OwnerReferences, have.OwnerReferences) {
		changed = append(changed, "metadata.ownerReferences")
	}
	if len(have.Finalizers) > 0 {
		changed = append(changed, "metadata.finalizers")
	}
	slices.Sort(changed)
	return slices.Compact(changed)
}

// forRuntime reports whether an annotation tells a container runtime what else to put
// into a container: devices with their mounts and variables (CDI), hooks, profiles.
func forRuntime(annotation string) bool {
	return slices.ContainsFunc([]string{
		"cdi.k8s.io/", "io.kubernetes.cri-o.", "io.containerd.", "io.kubernetes.cri.", "run.oci.", "io.katacontainers.",
		"container.apparmor.security.beta.kubernetes.io/", "container.seccomp.security.alpha.kubernetes.io/",
		"seccomp.security.alpha.kubernetes.io/",
	}, func(prefix string) bool { return strings.HasPrefix(annotation, prefix) })
}

// settle makes what the API server fills in by itself equal in both, and what
// does no harm in a pod that is pinned to its node: scheduling, tolerations that
// are added to ours, pull secrets of the ServiceAccount, requests and limits of a
// LimitRange. A pod that is critical may request nothing: the kubelet would evict
// others for it.
func settle(sent, got *corev1.Pod) {
	a, b := &sent.Spec, &got.Spec
	a.SchedulerName, a.Affinity, a.NodeSelector, a.TopologySpreadConstraints = b.SchedulerName, b.Affinity, b.NodeSelector,
		b.TopologySpreadConstraints
	a.ImagePullSecrets, a.Priority, a.PreemptionPolicy = b.ImagePullSecrets, b.Priority, b.PreemptionPolicy
	if a.PriorityClassName == "" && !strings.HasPrefix(b.PriorityClassName, "system-") {
		a.PriorityClassName = b.PriorityClassName
	}
	if a.ServiceAccountName == "" && b.ServiceAccountName == "default" {
		a.ServiceAccountName = b.ServiceAccountName
	}
	if b.DeprecatedServiceAccount == b.ServiceAccountName {
		a.DeprecatedServiceAccount = b.DeprecatedServiceAccount
	}
	if a.SecurityContext == nil && b.SecurityContext != nil && equality.Semantic.DeepEqual(*b.SecurityContext, corev1.PodSecurityContext{}) {
		a.SecurityContext = b.SecurityContext
	}
	if !slices.ContainsFunc(a.Tolerations, func(t corev1.Toleration) bool { return !slices.Contains(b.Tolerations, t) }) {
		a.Tolerations = b.Tolerations
	}
	critical := a.PriorityClassName == criticalPriority
	if !critical {
		a.Resources = b.Resources
	}
	for i := range min(len(a.Containers), len(b.Containers)) {
		settleContainer(&a.Containers[i], &b.Containers[i], critical)
	}
}

// ordinary reports whether resources are what a LimitRange gives to every pod. An
// extended one would have a device plugin add mounts and devices to the container.
func ordinary(list corev1.ResourceList) bool {
	for name := range list {
		if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
			return false
		}
	}
	return true
}

// settleContainer does the same for a container.
func settleContainer(sent, got *corev1.Container, critical bool) {
	if !critical && len(got.Resources.Claims) == 0 && ordinary(got.Resources.Limits) && ordinary(got.Resources.Requests) {
		sent.Resources = got.Resources
	}
	a, b := sent.SecurityContext, got.SecurityContext
	if plain := corev1.DefaultProcMount; a != nil && b != nil && b.ProcMount != nil && *b.ProcMount == plain {
		a.ProcMount = &plain
	}
}

// differing names the fields that two structs of the API do not have in common,
// by their names in the API.
func differing(prefix string, a, b reflect.Value, except ...string) (names []string) {
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		if !slices.Contains(except, name) && !equality.Semantic.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			names = append(names, prefix+name)
		}
	}
	return names
}

// membersOf names what a list has that it was not given, or no more.
func membersOf(kind string, want, have []string) (changed []string) {
	for _, name := range have {
		if !slices.Contains(want, name) {
			changed = append(changed, kind+" "+name+" is added")
		}
	}
	for _, name := range want {
		if !slices.Contains(have, name) {
			changed = append(changed, kind+" "+name+" is missing")
		}
	}
	if len(changed) == 0 && len(want) != len(have) {
		changed = append(changed, kind+" is there more than once")
	}
	return changed
}

func containerNames(pod *corev1.Pod) (names []string) {
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name+" (init)")
	}
	for _, c := range pod.Spec.EphemeralContainers {
		names = append(names, c.Name+" (ephemeral)")
	}
	return names
}

func volumeNames(pod *corev1.Pod) (names []string) {
	for _, v := range pod.Spec.Volumes {
		names = append(names, v.Name)
	}
	return names
}

// differingVariables names what was done to a container's environment, without
// the values, which may be secrets.
func differingVariables(want, have []corev1.EnvVar) (changed []string) {
	var a, b []string
	for _, v := range want {
		a = append(a, v.Name)
	}
	for _, v := range have {
		b = append(b, v.Name)
	}
	if changed = membersOf("variable", a, b); len(changed) > 0 {
		return changed
	}
	for i, v := range want {
		if !equality.Semantic.DeepEqual(v, have[i]) {
			changed = append(changed, "variable "+v.Name+" is changed")
		}
	}
	return changed
}
