// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Label marks the pods of this package with the operation they do; a drain
// skips pods that carry it.
const Label = "lifecycle.kubectl.io/runner"

const (
	containerName = "runner"
	// deadline ends a door that nobody came through: the kubelet stops it.
	deadline = int64(600)
)

// podSpec is what podFor needs to know.
type podSpec struct {
	name      string
	namespace string
	operation string
	image     string
	node      *corev1.Node
	payload   Payload
	owner     *metav1.OwnerReference
	// parts is in how many Secrets the program lies; zero if it is streamed.
	parts int
}

// podFor builds the door: privileged, in the host's namespaces, with the
// host's userland read-only over the image's own.
//
// It never mounts the host's root, which would pin every mount of the node
// (containerd#3667), and has no init wrapper: with hostPID one that signals -1
// ends the host's services (argo-workflows#14489).
func podFor(s podSpec) *corev1.Pod {
	yes, no, root, seconds := true, false, int64(0), deadline
	volumes, mounts := userland(s.node.Status.NodeInfo.Architecture)
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:      s.name,
			Namespace: s.namespace,
			Labels:    map[string]string{Label: s.operation},
		},
		Spec: corev1.PodSpec{
			NodeName:                      s.node.Name,
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         &seconds,
			HostPID:                       true,
			HostNetwork:                   true,
			DNSPolicy:                     corev1.DNSDefault,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			TerminationGracePeriodSeconds: new(int64),
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Volumes:                       volumes,
			Containers: []corev1.Container{{
				Name:            containerName,
				Image:           s.image,
				ImagePullPolicy: corev1.PullNever,
				Command: []string{
					"/usr/bin/nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-p", "--",
					"/bin/sh", "-c", receiver, "receiver", fmt.Sprint(len(s.payload.Program)), s.payload.SHA256,
				},
				Stdin:        true,
				StdinOnce:    true,
				VolumeMounts: mounts,
				SecurityContext: &corev1.SecurityContext{
					Privileged: &yes, RunAsUser: &root, RunAsGroup: &root, RunAsNonRoot: &no,
				},
			}},
		},
	}
	if s.parts > 0 {
		unpacks(pod, s)
	}
	if s.owner != nil {
		pod.OwnerReferences = []metav1.OwnerReference{*s.owner}
	}
	return pod
}

// receiver takes a byte that says that somebody is there, the program, and then
// the delivery from its standard input; before that byte it makes nothing, since
// a pod that is deleted has no time to tidy up. $1 is the program's length in bytes,
// $2 its SHA-256. It looks for a directory that is writable and not noexec (/run is noexec on many hosts),
// made exclusively with mode 0700 by mktemp, and leaves nothing there when the
// program has ended. It works in there, by which one sees that the directory is in use.
const receiver = `set -eu
umask 077
[ "$(head -c 1 | wc -c)" -eq 1 ] || exit 70
for base in /var/lib /run; do
  dir=$(mktemp -d "$base/kubectl-lifecycle-door.XXXXXX" 2>/dev/null) || continue
  printf '#!/bin/sh\n' >"$dir/probe" && chmod 700 "$dir/probe" && "$dir/probe" 2>/dev/null && break
  rm -f "$dir/probe"; rmdir "$dir"; dir=
done
[ -n "${dir:-}" ] || { echo "no directory on this host is writable and executable (tried /var/lib and /run)" >&2; exit 71; }
trap 'rm -f "$dir/probe" "$dir/lifecycle-node"; rmdir "$dir"' EXIT
cd "$dir"
head -c "$1" >"$dir/lifecycle-node"
echo "$2  $dir/lifecycle-node" | sha256sum -c --status || { echo "the program arrived damaged" >&2; exit 74; }
chmod 700 "$dir/lifecycle-node"
"$dir/lifecycle-node" enter
`

// userland returns the host's directories that hold nsenter and what it is
// linked against. The type is Directory, because the container runtime would
// create a missing source on the host.
func userland(arch string) ([]corev1.Volume, []corev1.VolumeMount) {
	dirs := []string{"/usr", "/lib"}
	if arch == "amd64" {
		dirs = append(dirs, "/lib64")
	}
	kind := corev1.HostPathDirectory
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	for _, dir := range dirs {
		name := "host" + strings.ReplaceAll(dir, "/", "-")
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: dir, Type: &kind},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: dir, ReadOnly: true})
	}
	return volumes, mounts
}

// chooseImage picks an image that is certainly on the node: of the containers
// that run there first (kube-proxy's before others, it is on every node), then
// of Node.status, which lists only the 50 largest (kubelet's
// nodeStatusMaxImages). It returns "" if none is known.
func chooseImage(node *corev1.Node, pods []corev1.Pod) string {
	var running []string
	for _, pod := range pods {
		for _, c := range pod.Spec.Containers {
			if !hasStarted(pod, c.Name) {
				continue
			}
			if c.Name == "kube-proxy" {
				return c.Image
			}
			running = append(running, c.Image)
		}
	}
	if len(running) > 0 {
		slices.Sort(running)
		return running[0]
	}
	for _, image := range node.Status.Images {
		for _, name := range image.Names {
			if !strings.Contains(name, "<none>") && !strings.Contains(name, "@") {
				return name
			}
		}
	}
	return ""
}

func hasStarted(pod corev1.Pod, container string) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container {
			return s.State.Running != nil
		}
	}
	return false
}

// rewritten names what admission changed in a pod that must arrive as it was
// sent: an AlwaysPullImages plugin or a mutating webhook would make the door
// fail where there is no registry, or take its privileges.
func rewritten(sent, got *corev1.Pod) []string {
	var changed []string
	note := func(what string, same bool) {
		if !same {
			changed = append(changed, what)
		}
	}
	note("spec.nodeName", sent.Spec.NodeName == got.Spec.NodeName)
	note("spec.hostPID", got.Spec.HostPID)
	note("spec.hostNetwork", got.Spec.HostNetwork)
	note("spec.restartPolicy", sent.Spec.RestartPolicy == got.Spec.RestartPolicy)
	note("the number of containers", len(got.Spec.Containers) == 1 && len(got.Spec.InitContainers) == 0)
	if len(got.Spec.Containers) == 0 {
		return changed
	}
	a, b := sent.Spec.Containers[0], got.Spec.Containers[0]
	note("image", a.Image == b.Image)
	note("imagePullPolicy", a.ImagePullPolicy == b.ImagePullPolicy)
	note("command", slices.Equal(a.Command, b.Command))
	note("securityContext.privileged", b.SecurityContext != nil && b.SecurityContext.Privileged != nil && *b.SecurityContext.Privileged)
	return changed
}
