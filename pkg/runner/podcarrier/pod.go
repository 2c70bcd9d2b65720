// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
)

const (
	containerName = "runner"
	// deadline ends a pod into which nothing is streamed: the kubelet stops it.
	deadline = int64(600)
)

// podSpec is what podFor has to know.
type podSpec struct {
	name      string
	namespace string
	operation string
	image     choice
	node      *corev1.Node
	program   payload.Payload
	owner     *metav1.OwnerReference
	// parts is in how many Secrets the program lies; zero if it is streamed.
	parts int
	// mountDir is the directory of the container in which everything of the
	// host's is mounted.
	mountDir string
	// probe makes the pod that of a probe; nil for a door to the host.
	probe *probing
}

// pod is the pod that is wanted.
func (s podSpec) pod() *corev1.Pod {
	if s.probe != nil {
		return probePodFor(s)
	}
	return podFor(s)
}

// podFor builds the pod: privileged, in the host's namespaces, with the host's
// userland mounted read-only, which alone is run.
//
// The image decides nothing. Its ENTRYPOINT, CMD, USER and WORKDIR are
// overridden; what the dynamic linker would take from its environment is emptied
// (environment), its /etc is hidden (hidden), and the host's own linker is started
// by its name (onHost), so that no file or link of the image's is looked at. All of
// it lies in a directory of a random name (mountDir): containerd mounts the
// VOLUMEs that an image declares below the mounts of the pod, and one at /usr/bin
// would replace the host's programs.
//
// It never mounts the host's root, which would pin every mount of the node
// (containerd#3667), and has no init wrapper: with hostPID one that signals -1
// ends the host's services (argo-workflows#14489).
func podFor(s podSpec) *corev1.Pod {
	yes, no, root, seconds := true, false, int64(0), deadline
	volumes, mounts := s.userland()
	etc, overEtc := hidden()
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
			PriorityClassName:             priorityFor(s.node),
			Volumes:                       append(etc, volumes...),
			Containers: []corev1.Container{{
				Name:            containerName,
				Image:           s.image.image,
				ImagePullPolicy: corev1.PullNever,
				Command: slices.Concat(s.withoutEnvironment(), s.onHost("nsenter"), []string{
					"-t", "1", "-m", "-u", "-i", "-n", "-p", "--",
					"/bin/sh", "-c", receiver, "receiver", fmt.Sprint(len(s.program.Program)), s.program.SHA256,
				}),
				WorkingDir:               "/",
				Env:                      environment(),
				Stdin:                    true,
				StdinOnce:                true,
				TerminationMessagePath:   corev1.TerminationMessagePathDefault,
				TerminationMessagePolicy: corev1.TerminationMessageReadFile,
				VolumeMounts:             append(overEtc, mounts...),
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

// receiver takes a byte that says that the plugin is there, the program, and then
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
[ -n "${dir:-}" ] || { echo "` + noPlace + ` (tried /var/lib and /run)" >&2; exit 71; }
trap 'rm -f "$dir/probe" "$dir/lifecycle-node"; rmdir "$dir"' EXIT
cd "$dir"
head -c "$1" >"$dir/lifecycle-node"
echo "$2  $dir/lifecycle-node" | sha256sum -c --status || { echo "the program arrived damaged" >&2; exit 74; }
chmod 700 "$dir/lifecycle-node"
"$dir/lifecycle-node" enter
`

// newMountDir names a directory at random.
func newMountDir() string { return "/lifecycle-" + strings.ToLower(rand.Text()) }

// userland returns the host's directories that hold nsenter and what it is linked
// against, and its dynamic linker, each at its path below mountDir. The types are
// given, because the container runtime would create a missing source on the host.
func (s podSpec) userland() (volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	mount := func(name, source, path string, kind corev1.HostPathType) {
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: source, Type: &kind},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: s.mountDir + path, ReadOnly: true})
	}
	amd64 := s.node.Status.NodeInfo.Architecture == "amd64"
	linker, dirs := "/lib/ld-linux-aarch64.so.1", []string{"/usr", "/lib"}
	if amd64 {
		linker, dirs = "/lib64/ld-linux-x86-64.so.2", append(dirs, "/lib64")
	}
	for _, dir := range dirs {
		mount("host"+strings.ReplaceAll(dir, "/", "-"), dir, dir, corev1.HostPathDirectory)
	}
	mount("host-linker", linker, "/linker", corev1.HostPathFile)
	return volumes, mounts
}

// onHost begins a command that runs one of the host's programs in the container:
// by the host's linker, with the host's libraries, wherever a distribution has
// them.
func (s podSpec) onHost(program string) []string {
	return []string{s.mountDir + "/linker", "--inhibit-cache", "--library-path", s.libraries(), s.mountDir + "/usr/bin/" + program}
}

// libraries are the directories in which the host's linker would look.
func (s podSpec) libraries() string {
	triplet := "aarch64-linux-gnu"
	if s.node.Status.NodeInfo.Architecture == "amd64" {
		triplet = "x86_64-linux-gnu"
	}
	var dirs []string
	for _, base := range []string{"/usr", ""} {
		for _, dir := range []string{"/lib/" + triplet, "/lib64", "/lib"} {
			dirs = append(dirs, s.mountDir+base+dir)
		}
	}
	return strings.Join(dirs, ":")
}

// searchPath is where the host's programs are looked for.
const searchPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// withoutEnvironment begins every command of the pod: what runs after it sees
// nothing of the image's environment, in which a shell would find functions
// (BASH_FUNC_…) and files to read first (BASH_ENV).
func (s podSpec) withoutEnvironment() []string {
	return append(s.onHost("env"), "-i", "PATH="+searchPath)
}

// environment empties what the dynamic linker, the C library and a shell would
// take from the image's environment: those that glibc itself ignores in a
// set-user-ID program (sysdeps/generic/unsecvars.h), where an empty value is as
// good as none. LD_SHOW_AUXV and LD_DYNAMIC_WEAK are left out, because setting
// them at all means something.
func environment() []corev1.EnvVar {
	vars := []corev1.EnvVar{{Name: "PATH", Value: searchPath}, {Name: "LC_ALL", Value: "C"}}
	for _, name := range []string{
		"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_PROFILE", "LD_PROFILE_OUTPUT",
		"LD_BIND_NOT", "LD_BIND_NOW", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_CHECK_", "MALLOC_PERTURB_", "MALLOC_TRACE",
		"TMPDIR",
		"BASH_ENV", "ENV",
	} {
		vars = append(vars, corev1.EnvVar{Name: name})
	}
	return vars
}

// hidden puts an empty directory over the image's /etc: the dynamic linker would
// load what /etc/ld.so.preload names. It is writable, because runc makes the
// files there on which hosts, hostname and resolv.conf are mounted, and fails
// where it cannot (read-only file system); it does not lie in memory, because a
// tmpfs would be one more mount below the kubelet's directory.
func hidden() ([]corev1.Volume, []corev1.VolumeMount) {
	return []corev1.Volume{{Name: "etc", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		[]corev1.VolumeMount{{Name: "etc", MountPath: "/etc"}}
}

// criticalPriority is the class of pods that a kubelet admits whatever its node
// is short of.
const criticalPriority = "system-node-critical"

// priorityFor makes the pod critical on a node that is short of disk or process
// IDs, for there the kubelet admits no others (pkg/kubelet/eviction, Kubernetes
// 1.36); one that is short of memory only admits what tolerates its taint. Else it
// has no priority, so that it never preempts a pod; here it has nothing to preempt
// either: it requests nothing, and fits has found a place for it.
func priorityFor(node *corev1.Node) string {
	if len(pressures(node)) == 0 {
		return ""
	}
	return criticalPriority
}

// pressures are the conditions under which a kubelet admits critical pods only.
func pressures(node *corev1.Node) (names []string) {
	for _, c := range node.Status.Conditions {
		if (c.Type == corev1.NodeDiskPressure || c.Type == corev1.NodePIDPressure) && c.Status == corev1.ConditionTrue {
			names = append(names, string(c.Type))
		}
	}
	return names
}
