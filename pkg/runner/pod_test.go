// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func node(arch string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}}
	n.Status.NodeInfo.Architecture = arch
	return n
}

func doorOn(arch string) *corev1.Pod {
	return podFor(podSpec{
		name: "lifecycle-worker-1", namespace: "kube-system", operation: "remove", image: "example/proxy:v1",
		node: node(arch), payload: Payload{Program: []byte("abc"), SHA256: "hash"},
	})
}

func TestTheDoorMountsOnlyTheHostsUserlandReadOnly(t *testing.T) {
	for arch, want := range map[string][]string{"amd64": {"/usr", "/lib", "/lib64"}, "arm64": {"/usr", "/lib"}} {
		pod := doorOn(arch)
		var got []string
		for i, v := range pod.Spec.Volumes {
			m := pod.Spec.Containers[0].VolumeMounts[i]
			if v.HostPath == nil || v.HostPath.Path != m.MountPath || !m.ReadOnly || *v.HostPath.Type != corev1.HostPathDirectory {
				t.Errorf("%s: volume %+v mount %+v", arch, v, m)
			}
			got = append(got, m.MountPath)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: mounts %v, want %v", arch, got, want)
		}
	}
}

func TestTheDoorIsPinnedPullsNothingAndRunsAnywhere(t *testing.T) {
	pod := doorOn("amd64")
	c := pod.Spec.Containers[0]
	checks := map[string]bool{
		"pinned":         pod.Spec.NodeName == "worker-1",
		"never pulls":    c.ImagePullPolicy == corev1.PullNever,
		"never restarts": pod.Spec.RestartPolicy == corev1.RestartPolicyNever,
		"tolerates all":  len(pod.Spec.Tolerations) == 1 && pod.Spec.Tolerations[0].Operator == corev1.TolerationOpExists && pod.Spec.Tolerations[0].Key == "",
		"host network":   pod.Spec.HostNetwork && pod.Spec.HostPID,
		"no token":       !*pod.Spec.AutomountServiceAccountToken,
		"labelled":       pod.Labels[Label] == "remove",
		"ends by itself": *pod.Spec.ActiveDeadlineSeconds > 0,
		"no priority":    pod.Spec.PriorityClassName == "",
	}
	for what, ok := range checks {
		if !ok {
			t.Errorf("the door is not: %s", what)
		}
	}
}

func TestTheReceiverTakesTheProgramAndLeavesNothing(t *testing.T) {
	program := "#!/bin/sh\nread line\necho \"got $1 $line\"\n"
	sum := payloadSum(t, program)
	for name, c := range map[string]struct{ hash, want string }{
		"the program is intact":       {sum, "got enter the delivery\n"},
		"the program arrived damaged": {strings.Repeat("0", 64), ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			script := strings.NewReplacer("/var/lib", base, "/run", base).Replace(receiver)
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script, "receiver", strconv.Itoa(len(program)), c.hash)
			cmd.Stdin = strings.NewReader(knock + program + "the delivery\n")
			out, err := cmd.Output()
			if string(out) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("output %q, error %v, want %q", out, err, c.want)
			}
			left, _ := filepath.Glob(base + "/*")
			if len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestTheReceiverMakesNothingBeforeAnybodyIsThere(t *testing.T) {
	base := t.TempDir()
	script := strings.NewReplacer("/var/lib", base, "/run", base).Replace(receiver)
	err := exec.CommandContext(t.Context(), "/bin/sh", "-xc", script, "receiver", "3", "hash").Run()
	var exit *exec.ExitError
	if left, _ := filepath.Glob(base + "/*"); !errors.As(err, &exit) || exit.ExitCode() != 70 || len(left) > 0 {
		t.Errorf("%v, left behind: %v", err, left)
	}
	// A pod that is killed while nobody speaks.
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script, "receiver", "3", "hash")
	silence, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silence.Close() }()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for started := false; !started; { // head waits for the byte
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		started = err != nil || len(children) > 0
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if left, _ := filepath.Glob(base + "/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Where somebody mounts something in the door's directory, what is in it
// stays: the script deletes its own files by name.
func TestTheReceiverNeverDeletesThroughAMount(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root for a mount namespace of its own")
	}
	dir := t.TempDir()
	program := "#!/bin/sh\n[ $PWD = ${0%/*} ] && mkdir ${0%/*}/there " + dir + "/data && echo precious > " + dir + "/data/file && mount --bind " + dir + "/data ${0%/*}/there\n"
	wrapped := "mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib && " + `sh -c "$0" receiver "$1" "$2"; ls /var/lib/*`
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", wrapped, receiver, strconv.Itoa(len(program)), payloadSum(t, program))
	cmd.Stdin = strings.NewReader(knock + program + "the delivery\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "there") {
		t.Errorf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(dir + "/data/file"); err != nil || string(got) != "precious\n" {
		t.Errorf("what was mounted there is %q, %v", got, err)
	}
}

func TestTheImageIsOneThatRunsOnTheNode(t *testing.T) {
	pod := func(name, container, image string, running bool) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Spec.Containers = []corev1.Container{{Name: container, Image: image}}
		status := corev1.ContainerStatus{Name: container}
		if running {
			status.State.Running = &corev1.ContainerStateRunning{}
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{status}
		return p
	}
	listed := node("amd64")
	listed.Status.Images = []corev1.ContainerImage{{Names: []string{"x@sha256:1", "<none>:<none>", "registry/pause:3.10"}}}
	cases := map[string]struct {
		node *corev1.Node
		pods []corev1.Pod
		want string
	}{
		"kube-proxy before all others":            {listed, []corev1.Pod{pod("a", "app", "a:1", true), pod("p", "kube-proxy", "proxy:1", true)}, "proxy:1"},
		"the first of the running by name":        {listed, []corev1.Pod{pod("b", "app", "b:1", true), pod("a", "app", "a:1", true)}, "a:1"},
		"not one that has not started":            {listed, []corev1.Pod{pod("b", "app", "b:1", false)}, "registry/pause:3.10"},
		"one of Node.status, by tag":              {listed, nil, "registry/pause:3.10"},
		"none where nothing is known to be there": {node("amd64"), nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := chooseImage(c.node, c.pods); got != c.want {
				t.Errorf("image %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatAdmissionChangesIsNamed(t *testing.T) {
	cases := map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"nothing":               {func(*corev1.Pod) {}, ""},
		"AlwaysPullImages":      {func(p *corev1.Pod) { p.Spec.Containers[0].ImagePullPolicy = corev1.PullAlways }, "imagePullPolicy"},
		"a registry rewrite":    {func(p *corev1.Pod) { p.Spec.Containers[0].Image = "mirror/x" }, "image"},
		"a sidecar":             {func(p *corev1.Pod) { p.Spec.Containers = append(p.Spec.Containers, corev1.Container{}) }, "the number of containers"},
		"privileges taken away": {func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext.Privileged = new(bool) }, "securityContext.privileged"},
		"another node":          {func(p *corev1.Pod) { p.Spec.NodeName = "worker-2" }, "spec.nodeName"},
		"the host's processes":  {func(p *corev1.Pod) { p.Spec.HostPID = false }, "spec.hostPID"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := doorOn("amd64")
			c.change(got)
			if changed := strings.Join(rewritten(doorOn("amd64"), got), " "); changed != c.want {
				t.Errorf("changed %q, want %q", changed, c.want)
			}
		})
	}
}

func TestAFullNodeIsRefusedByName(t *testing.T) {
	n := node("amd64")
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}
	done := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	if err := room(n, []corev1.Pod{{}, done, done}); err != nil {
		t.Errorf("there is room: %v", err)
	}
	err := room(n, []corev1.Pod{{}, {}})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "worker-1 is full: it runs 2 of at most 2") {
		t.Errorf("error %v", err)
	}
}

func TestAPluginWithoutTheNodeProgramSaysHowToBuildIt(t *testing.T) {
	_, err := payloadFrom(fstest.MapFS{}, "amd64")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "make build") {
		t.Errorf("error %v, hint %q", err, plan.HintOf(err))
	}
	if _, err := payloadFrom(fstest.MapFS{}, "riscv64"); !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("error %v", err)
	}
}
