// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// A pod that only this node may take gets no more replicas elsewhere, and a surge none
// that becomes Ready (kubernetes/kubernetes#91141).
func TestAPlanOffersNoReplicasThatNoNodeTakes(t *testing.T) {
	objects := gitea()
	for _, object := range objects {
		if pod, is := object.(*corev1.Pod); is && pod.Name == "gitea-7c-x" {
			pod.Spec.NodeSelector = map[string]string{"kubernetes.io/hostname": "w1"}
		}
	}
	b := newDrainBed(objects...)
	err := b.run(t, newDrainCommand, "w1", "--plan")
	text := strings.Join(strings.Fields(b.out.String()), " ")
	for want, there := range map[string]bool{
		"its successor finds no node": true, "kubectl -n shop patch pdb gitea-pdb": true, "--surge=auto": false, "scale deployment/gitea": false,
	} {
		if strings.Contains(text, want) != there {
			t.Errorf("%q: %t in\n%s", want, !there, b.out)
		}
	}
	if plan.ClassOf(err) != plan.Found || strings.Contains(plan.HintOf(err), "replicas") {
		t.Errorf("got %v, hint %q", err, plan.HintOf(err))
	}
}

func TestAPlanNamesASurgeOnce(t *testing.T) {
	for _, typed := range []string{"--surge=auto", "--surge=restart"} {
		b := newDrainBed(gitea()...)
		_ = b.run(t, newDrainCommand, "w1", typed, "--plan") // it would not end
		if text := b.out.String(); !strings.Contains(text, "\n      kubectl lifecycle drain w1 --surge=auto\n") {
			t.Errorf("%s: it says\n%s", typed, text)
		}
	}
}

// Without its kubelet nobody confirms that a pod has stopped, and a drain waits for that
// (kubernetes-sigs/cluster-api#10661).
func TestAPlanOfANodeWhoseKubeletIsSilent(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status corev1.ConditionStatus
		args   []string
		ends   bool
	}{
		{"it has stopped to report", corev1.ConditionUnknown, nil, false},
		{"nobody waits for it", corev1.ConditionUnknown, []string{"--skip-wait-for-delete-timeout=5"}, true},
		{"it reports that it is not Ready", corev1.ConditionFalse, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newDrainBed(drainPod("a", "ReplicaSet"), drainPod("b", "ReplicaSet"))
			node, err := b.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
			if err == nil {
				node.Status.Conditions[0].Status = tc.status
				_, err = b.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			err = b.run(t, newDrainCommand, append([]string{"w1", "--plan"}, tc.args...)...)
			if tc.ends != (err == nil) || !tc.ends && (plan.ClassOf(err) != plan.Found ||
				!strings.Contains(err.Error(), "before the kubelet of w1 answers again")) {
				t.Errorf("got %v", err)
			}
			if endless := strings.Contains(b.out.String(), "there is no saying how long at most"); endless == tc.ends {
				t.Errorf("it says\n%s", b.out)
			}
		})
	}
}
