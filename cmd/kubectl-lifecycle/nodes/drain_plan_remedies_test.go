// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
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

// with changes the objects of one type.
func with[T runtime.Object](objects []runtime.Object, change func(T)) []runtime.Object {
	for _, object := range objects {
		if one, is := object.(T); is {
			change(one)
		}
	}
	return objects
}

// tooMany makes gitea's budget want three pods where there is one, so that a replica
// more does not help, and a restart does.
func tooMany() []runtime.Object {
	return with(gitea(), func(b *policyv1.PodDisruptionBudget) {
		if b.Name == "gitea-pdb" {
			b.Spec.MinAvailable.IntVal, b.Status.DesiredHealthy = 3, 3
		}
	})
}

func TestAPlanNamesASurgeOnce(t *testing.T) {
	for _, typed := range []string{"--surge=off", "--surge=auto"} {
		b := newDrainBed(tooMany()...)
		_ = b.run(t, newDrainCommand, "w1", typed, "--plan") // it would not end
		if text := b.out.String(); !strings.Contains(text, "\n      kubectl lifecycle drain w1 --surge=restart\n") {
			t.Errorf("%s: it says\n%s", typed, text)
		}
	}
}

// Of the surge that was typed the plan says what it does, and what keeps it from helping.
func TestAPlanGoesByTheSurgeThatWasTyped(t *testing.T) {
	claim := corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}
	owned := append(gitea(), &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gitea"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment",
			Name: "gitea"}}})
	pinned := with(gitea(), func(p *corev1.Pod) {
		if p.Name == "gitea-7c-x" {
			p.Spec.NodeSelector = map[string]string{"kubernetes.io/hostname": "w1"}
		}
	})
	sick := with(gitea(), func(b *policyv1.PodDisruptionBudget) {
		if b.Name == "gitea-pdb" {
			b.Status.CurrentHealthy = 0
		}
	})
	for _, tc := range []struct {
		name        string
		objects     []runtime.Object
		args        string
		ends        bool
		says, never []string
	}{
		{"none, and one would help", gitea(), "", false, []string{"permanent: minAvailable 1 of 1 pods never lets one go",
			"--surge=auto Deployment/gitea has 2 replicas while it drains, and 1 again afterwards", "scale deployment/gitea"}, []string{"SURGE"}},
		{"it is switched off", gitea(), "--surge=off", false, []string{"permanent:", "--surge=auto"}, []string{"SURGE"}},
		{"a replica more", gitea(), "--surge=auto", true, []string{"SURGE Deployment shop/gitea: 2 replicas instead of 1 while it drains",
			"spends 1 of shop/db-pdb, 1 of shop/gitea-pdb", "at least 20s, up to 1m20s", "shop/gitea-pdb (1 pod, 1 at a time)"},
			[]string{"KEPT", "the only replica of ReplicaSet/gitea-7c"}},
		{"a restart", gitea(), "--surge=restart", true, []string{"SURGE Deployment shop/gitea: a rolling restart",
			"the restart of Deployment shop/gitea (1 pod, 1 at a time)"},
			[]string{"KEPT", "of shop/gitea-pdb", "the only replica of ReplicaSet/gitea-7c"}},
		{"a replica more would not do", tooMany(), "--surge=auto", false,
			[]string{"the surge leaves Deployment shop/gitea as it is: its budget wants 3 more pods than there are", "--surge=restart"}, nil},
		{"an autoscaler", owned, "--surge=auto", false, []string{"as it is: HorizontalPodAutoscaler gitea sets its number of replicas"},
			[]string{"--surge=auto Dep", "--surge=restart", "scale deployment"}},
		{"an autoscaler, and none typed", owned, "", false, []string{"permanent:", "patch pdb gitea-pdb"},
			[]string{"--surge=", "scale deployment"}},
		{"a volume for one node", append(with(gitea(), func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Volumes = []corev1.Volume{claim}
		}), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data"}}), "", false,
			[]string{"patch pdb gitea-pdb"}, []string{"--surge=", "scale deployment"}},
		{"the pod more finds no node", pinned, "--surge=auto", false, []string{"no room: minAvailable 1 of 1 pods never lets one go, and " +
			"the pod that the surge adds to Deployment shop/gitea finds no node", "NO ROOM",
			"kubectl describe nodes"}, []string{"scale deployment"}},
		{"the restart's finds no node", pinned, "--surge=restart", false, []string{"no room:", "NO ROOM"}, []string{"scale deployment"}},
		{"a pod under the budget is not healthy", sick, "--surge=auto", false, []string{"SURGE", "temporary: 0 of 1 pods are healthy"},
			[]string{"permanent:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newDrainBed(tc.objects...)
			err := b.run(t, newDrainCommand, append(strings.Fields(tc.args), "w1", "--plan")...)
			if (err == nil) != tc.ends || err != nil && plan.ClassOf(err) != plan.Found || len(b.changes()) > 0 {
				t.Errorf("got %v, changes %v", err, b.changes())
			}
			text := strings.Join(strings.Fields(b.out.String()), " ")
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, b.out)
				}
			}
			kept, _, _ := strings.Cut(text, " TIME ") // the command is at the end
			for _, never := range tc.never {
				if strings.Contains(kept, never) {
					t.Errorf("%q is in\n%s", never, b.out)
				}
			}
		})
	}
	b := newDrainBed(gitea()...)
	if err := b.run(t, newDrainCommand, "w1", "--plan", "--surge=burst"); plan.ClassOf(err) != plan.Misused {
		t.Errorf("a surge that there is not: %v", err)
	}
}

// Who may not read autoscalers gets the plan, and a guess; a surge that was typed is
// not guessed.
func TestAPlanWithoutTheRightToWhatASurgeReads(t *testing.T) {
	for typed, refused := range map[string]bool{"--surge=off": false, "--surge=auto": true} {
		b := newDrainBed(gitea()...)
		kubetest.AnswerWith(b.Clientset, "list", "horizontalpodautoscalers", kubetest.NoRight("list", "horizontalpodautoscalers"))
		err := b.run(t, newDrainCommand, "w1", "--plan", typed)
		said := strings.Contains(b.out.String(), "whether a surge helps is not known")
		if (plan.ClassOf(err) == plan.Refused) != refused || said == refused {
			t.Errorf("%s: %v\n%s", typed, err, b.out)
		}
	}
}

// Without its kubelet nothing confirms that a pod has stopped, and a drain waits for that
// (kubernetes-sigs/cluster-api#10661).
func TestAPlanOfANodeWhoseKubeletIsSilent(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status corev1.ConditionStatus
		args   []string
		ends   bool
	}{
		{"it has stopped to report", corev1.ConditionUnknown, nil, false},
		{"the drain does not wait for it", corev1.ConditionUnknown, []string{"--skip-wait-for-delete-timeout=5"}, true},
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
			if endless := strings.Contains(b.out.String(), "the longest time is unknown"); endless == tc.ends {
				t.Errorf("it says\n%s", b.out)
			}
		})
	}
}
