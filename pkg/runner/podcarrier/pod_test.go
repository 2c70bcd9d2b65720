// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
)

func node(arch string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}}
	n.Status.NodeInfo.Architecture = arch
	return n
}

func podOn(arch string) *corev1.Pod {
	return podFor(podSpec{
		name: "lifecycle-worker-1", namespace: "kube-system", operation: "remove", image: choice{image: "example/proxy:v1"},
		node: node(arch), program: payload.Payload{Program: []byte("abc"), SHA256: "hash"}, mountDir: "/there",
	})
}

func TestTheDoorMountsOnlyTheHostsUserlandReadOnly(t *testing.T) {
	for arch, want := range map[string][]string{
		"amd64": {"/usr", "/lib", "/lib64", "/lib64/ld-linux-x86-64.so.2"}, "arm64": {"/usr", "/lib", "/lib/ld-linux-aarch64.so.1"},
	} {
		pod := podOn(arch)
		var got []string
		for i, v := range pod.Spec.Volumes {
			m := pod.Spec.Containers[0].VolumeMounts[i]
			if v.EmptyDir != nil && m.MountPath == "/etc" {
				continue
			}
			if v.HostPath == nil || !m.ReadOnly || *v.HostPath.Type == corev1.HostPathUnset || !strings.HasPrefix(m.MountPath, "/there/") {
				t.Errorf("%s: volume %+v mount %+v", arch, v, m)
				continue
			}
			if m.MountPath != "/there"+v.HostPath.Path && m.MountPath != "/there/linker" {
				t.Errorf("%s: %s is mounted at %s", arch, v.HostPath.Path, m.MountPath)
			}
			got = append(got, v.HostPath.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: mounts %v, want %v", arch, got, want)
		}
	}
	if a, b := newMountDir(), newMountDir(); a == b || len(a) < 30 {
		t.Errorf("places that can be foreseen: %s, %s", a, b)
	}
}

func TestTheDoorIsPinnedPullsNothingAndRunsAnywhere(t *testing.T) {
	pod := podOn("amd64")
	c := pod.Spec.Containers[0]
	checks := map[string]bool{
		"pinned":         pod.Spec.NodeName == "worker-1",
		"never pulls":    c.ImagePullPolicy == corev1.PullNever,
		"never restarts": pod.Spec.RestartPolicy == corev1.RestartPolicyNever,
		"tolerates all": len(pod.Spec.Tolerations) == 1 && pod.Spec.Tolerations[0].Operator == corev1.TolerationOpExists &&
			pod.Spec.Tolerations[0].Key == "",
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
	sum := sumOf(program)
	for name, c := range map[string]struct{ hash, want string }{
		"the program is intact":       {sum, "got enter the delivery\n"},
		"the program arrived damaged": {strings.Repeat("0", 64), ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			script := strings.NewReplacer("/var/lib", base, "/run", base).Replace(receiver)
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script, "receiver", strconv.Itoa(len(program)), c.hash)
			cmd.Stdin = strings.NewReader(readyByte + program + "the delivery\n")
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
	program := "#!/bin/sh\n[ $PWD = ${0%/*} ] && mkdir ${0%/*}/there " + dir + "/data && echo precious > " + dir +
		"/data/file && mount --bind " + dir + "/data ${0%/*}/there\n"
	wrapped := "mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib && " + `sh -c "$0" receiver "$1" "$2"; ls /var/lib/*`
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", wrapped, receiver, strconv.Itoa(len(program)), sumOf(program))
	cmd.Stdin = strings.NewReader(readyByte + program + "the delivery\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "there") {
		t.Errorf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(dir + "/data/file"); err != nil || string(got) != "precious\n" {
		t.Errorf("what was mounted there is %q, %v", got, err)
	}
}

func TestAFullNodeIsRefusedByName(t *testing.T) {
	n := node("amd64")
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")}
	done := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	if err := fits(n, []corev1.Pod{{}, done, done}); err != nil {
		t.Errorf("there is room: %v", err)
	}
	err := fits(n, []corev1.Pod{{}, {}})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "worker-1 is full: it runs 2 of at most 2") ||
		!strings.Contains(plan.HintOf(err), "kubectl cordon worker-1") {
		t.Errorf("error %v", err)
	}
}

func quiet(string, ...any) {}

// sumOf is a program's hash as the payload has it.
func sumOf(program string) string {
	sum := sha256.Sum256([]byte(program))
	return hex.EncodeToString(sum[:])
}
