// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// kubectlPod is a pod like those of kubectl's own tests.
func kubectlPod(owner string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := drainPod("bar", owner)
	if owner == "DaemonSet" {
		pod.OwnerReferences[0].Name = "ds"
	}
	for _, change := range change {
		change(pod)
	}
	return pod
}

func scratch(pod *corev1.Pod) {
	pod.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
}

func ended(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }

// vanished makes the pod one of a DaemonSet that is not there.
func vanished(pod *corev1.Pod) { pod.OwnerReferences[0].Name = "gone" }

// TestTheCasesOfKubectlDrain states again what kubectl's tests of "kubectl
// drain" ask for, with evictions and without. One thing differs: kubectl cordons
// a node before it refuses.
func TestTheCasesOfKubectlDrain(t *testing.T) {
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		flags string
		// leaves says that the pod does, refused that the drain is.
		leaves, refused bool
		warns           string
	}{
		"a ReplicationController's":        {pod: kubectlPod("ReplicationController"), leaves: true},
		"a DaemonSet's":                    {pod: kubectlPod("DaemonSet"), refused: true},
		"a DaemonSet's, finished":          {pod: kubectlPod("DaemonSet", ended), leaves: true},
		"a lost DaemonSet's":               {pod: kubectlPod("DaemonSet", vanished), refused: true},
		"a lost DaemonSet's, forced":       {pod: kubectlPod("DaemonSet", vanished), flags: "--force", leaves: true, warns: "shop/bar"},
		"a DaemonSet's, ignored":           {pod: kubectlPod("DaemonSet"), flags: "--ignore-daemonsets", warns: "shop/bar"},
		"a DaemonSet's, emptyDir, ignored": {pod: kubectlPod("DaemonSet", scratch), flags: "--ignore-daemonsets", warns: "shop/bar"},
		"a Job's, emptyDir":                {pod: kubectlPod("Job", scratch), flags: "--force --delete-emptydir-data=true", leaves: true},
		"a Job's, finished":                {pod: kubectlPod("Job", scratch, ended), leaves: true},
		"a ReplicaSet's":                   {pod: kubectlPod("ReplicaSet"), leaves: true},
		"nobody's":                         {pod: kubectlPod(""), refused: true},
		"nobody's, forced":                 {pod: kubectlPod(""), flags: "--force", leaves: true, warns: "shop/bar"},
		"emptyDir":                         {pod: kubectlPod("", scratch), flags: "--force", refused: true},
		"emptyDir, finished":               {pod: kubectlPod("", scratch, ended), leaves: true},
		"emptyDir, given up":               {pod: kubectlPod("", scratch), flags: "--force --delete-emptydir-data=true", leaves: true},
		"none":                             {},
	} {
		for _, method := range []string{"", "--disable-eviction"} {
			t.Run(name+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					objects := []runtime.Object{&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ds"}}}
					if c.pod != nil {
						objects = append(objects, c.pod.DeepCopy())
					}
					b := newDrainBed(objects...)
					err := b.run(t, newDrainCommand, append([]string{"w1"}, strings.Fields(c.flags+" "+method)...)...)
					if (plan.ClassOf(err) == plan.Refused) != c.refused || err != nil && !c.refused {
						t.Fatalf("refused %v, want %v: %v", err != nil, c.refused, err)
					}
					want := "create pods/eviction"
					if method != "" {
						want = "delete pods"
					}
					if got := slices.Contains(b.changes(), want); got != c.leaves {
						t.Errorf("changes %v, the pod is to leave: %v", b.changes(), c.leaves)
					}
					if c.refused && len(b.changes()) > 0 {
						t.Errorf("refused, and changed: %v", b.changes())
					}
					if !c.refused && !strings.Contains(b.out.String(), "node/w1 drained") {
						t.Errorf("stdout %q", b.out)
					}
					if !strings.Contains(b.errOut.String(), c.warns) {
						t.Errorf("%q is not in %q", c.warns, b.errOut)
					}
				})
			})
		}
	}
}

// A pod that cannot be evicted or deleted is an error, and named.
func TestAnEvictionThatFailsEndsTheDrain(t *testing.T) {
	for verb, flags := range map[string][]string{"create": {"w1", "--timeout", "30s"}, "delete": {"w1", "--timeout", "30s",
		"--disable-eviction"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newDrainBed(kubectlPod("ReplicaSet"))
			b.PrependReactor(verb, "pods", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no") })
			if err := b.run(t, newDrainCommand, flags...); err == nil || !strings.Contains(err.Error(), "shop/bar") {
				t.Errorf("%s: %v", verb, err)
			}
		})
	}
}

// TestTheCasesOfKubectlCordon states again kubectl's tests of "kubectl cordon"
// and "kubectl uncordon".
func TestTheCasesOfKubectlCordon(t *testing.T) {
	for name, c := range map[string]struct {
		before  bool
		command string
		nodes   string
		after   bool
		fails   bool
	}{
		"node/node syntax":        {true, "uncordon", "node/w1", false, false},
		"uncordon":                {true, "uncordon", "w1", false, false},
		"uncordon does nothing":   {false, "uncordon", "w1", false, false},
		"cordon does nothing":     {true, "cordon", "w1", true, false},
		"cordon":                  {false, "cordon", "w1", true, false},
		"cordon a missing node":   {false, "cordon", "bar", false, true},
		"uncordon a missing node": {false, "uncordon", "bar", false, true},
		"cordon several nodes":    {false, "cordon", "w1 w2 w3", true, false},
		"uncordon several nodes":  {true, "uncordon", "w1 w2 w3", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []runtime.Object
			for _, name := range []string{"w2", "w3"} {
				objects = append(objects, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
			}
			b := newDrainBed(objects...)
			command := map[string]func(commands) *cobra.Command{"cordon": newCordonCommand, "uncordon": newUncordonCommand}
			if c.before {
				if err := b.run(t, newCordonCommand, "w1", "w2", "w3"); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.run(t, command[c.command], strings.Fields(c.nodes)...); (err != nil) != c.fails {
				t.Fatalf("got %v", err)
			}
			for _, name := range strings.Fields(c.nodes) {
				node, err := b.CoreV1().Nodes().Get(t.Context(), strings.TrimPrefix(name, "node/"), metav1.GetOptions{})
				if err == nil && node.Spec.Unschedulable != c.after {
					t.Errorf("%s: unschedulable %v", name, node.Spec.Unschedulable)
				}
			}
		})
	}
}
