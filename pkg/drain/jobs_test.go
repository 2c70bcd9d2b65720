// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// makeJob is a Job whose pods are ofJob, with a backoffLimit.
func makeJob(limit int32, change ...func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "once", UID: "uid-Job-once"},
		Spec: batchv1.JobSpec{BackoffLimit: &limit}}
	for _, c := range change {
		c(job)
	}
	return job
}

func ofJob(pod *corev1.Pod) { kubetest.ControlledBy("batch/v1", "Job", "once")(pod) }

// onDisruption is a policy for pods that are disrupted.
func onDisruption(action batchv1.PodFailurePolicyAction) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
			{Action: batchv1.PodFailurePolicyActionFailJob, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: "ConfigIssue",
				Status: corev1.ConditionTrue}}},
			{Action: action, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget,
				Status: corev1.ConditionTrue}}},
		}}
	}
}

func inCondition(kind batchv1.JobConditionType) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue}}
	}
}

func TestWhatBecomesOfAJob(t *testing.T) {
	yes, one, other := true, int32(1), "kueue.x-k8s.io/multikueue"
	perIndex := func(job *batchv1.Job) { job.Spec.BackoffLimitPerIndex = &one }
	index := func(failures string) kubetest.PodOption {
		return func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: "7", batchv1.JobIndexFailureCountAnnotation: failures}
		}
	}
	for _, tc := range []struct {
		name string
		job  *batchv1.Job
		pod  kubetest.PodOption
		n    int
		lost bool
		want string
	}{
		{"it may not retry", makeJob(0), nil, 1, true,
			"Job shop/once: the pod counts as failed and backoffLimit 0 allows no other: the Job fails"},
		{"it has retried as often as it may", makeJob(2, func(j *batchv1.Job) { j.Status.Failed = 2 }), nil, 1, true,
			"backoffLimit 2 allows no other (2 failed before)"},
		{"one pod may fail, two leave", makeJob(1), nil, 2, true, "2 pods count as failed"},
		{"it may retry", makeJob(6), nil, 1, false, "counts the pod as failed (1 of 6) and creates another one, which begins from the start"},
		{"no backoffLimit is six", makeJob(0, func(j *batchv1.Job) { j.Spec.BackoffLimit = nil }), nil, 1, false, "(1 of 6)"},
		{"its policy ignores disruptions", makeJob(0, onDisruption(batchv1.PodFailurePolicyActionIgnore)), nil, 1, false,
			"does not count the pod as failed"},
		{"its policy fails it", makeJob(6, onDisruption(batchv1.PodFailurePolicyActionFailJob)), nil, 1, true, "podFailurePolicy fails the Job"},
		{"its policy fails the index", makeJob(6, onDisruption(batchv1.PodFailurePolicyActionFailIndex)), nil, 1, true, "fails the pod's index"},
		{"its policy counts disruptions", makeJob(0, onDisruption(batchv1.PodFailurePolicyActionCount)), nil, 1, true, "backoffLimit 0"},
		{"an index that may retry", makeJob(0, perIndex), index("0"), 1, false, "of index 7 as failed (1 of 1)"},
		{"an index that may not", makeJob(0, perIndex), index("1"), 1, true, "index 7 counts as failed and backoffLimitPerIndex 1"},
		{"it is suspended", makeJob(0, func(j *batchv1.Job) { j.Spec.Suspend = &yes }), nil, 1, false, "is suspended"},
		{"another controller manages it", makeJob(0, func(j *batchv1.Job) { j.Spec.ManagedBy = &other }), nil, 1, false,
			"managed by kueue.x-k8s.io/multikueue"},
		{"it has failed", makeJob(0, inCondition(batchv1.JobFailed)), nil, 1, false, "has ended"},
		{"its success criteria are met", makeJob(0, inCondition(batchv1.JobSuccessCriteriaMet)), nil, 1, false, "has ended"},
		{"a work queue of which a pod has succeeded", makeJob(6, func(j *batchv1.Job) { j.Status.Succeeded = 1 }), nil, 1, false,
			"creates no other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := kubetest.Pod("a", ofJob)
			if tc.pod != nil {
				tc.pod(pod)
			}
			if got := fateOf(tc.job, pod, tc.n); got.lost != tc.lost || !strings.Contains(got.text, tc.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestADrainSaysWhichJobsFail(t *testing.T) {
	job := makeJob(0)
	yes := true
	job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "CronJob", Name: "nightly", UID: "uid-cron",
		Controller: &yes}}
	client := kubetest.NewClient(kubetest.Pod("a", ofJob), kubetest.Pod("done", ofJob, kubetest.InPhase(corev1.PodSucceeded)), job)
	d := decideOn(t, client, DefaultOptions())
	v := d.Verdicts[0]
	if !v.JobLost || v.Message != v.Job || !strings.Contains(v.Job, "CronJob nightly starts the next") ||
		v.Owners.String() != "Job/once → CronJob/nightly" {
		t.Errorf("got %+v", v)
	}
	if warnings := strings.Join(d.Warnings(), "\n"); strings.Count(warnings, "the Job fails") != 1 {
		t.Errorf("warnings: %s", warnings)
	}
	if d.Verdicts[1].Job != "" {
		t.Errorf("a pod that has ended: %+v", d.Verdicts[1])
	}
}

func TestJobsAreReadOnceAndOnlyIfThereAreSome(t *testing.T) {
	lists := func(client *fake.Clientset) (n int) {
		for _, a := range client.Actions() {
			if a.GetVerb() == "list" && a.GetResource().Resource == "jobs" {
				n++
			}
		}
		return n
	}
	with := kubetest.NewClient(kubetest.Pod("a", ofJob), kubetest.Pod("b", ofJob), kubetest.Pod("c", ofJob))
	decideOn(t, with, DefaultOptions())
	without := kubetest.NewClient(kubetest.Pod("a"), kubetest.Pod("done", ofJob, kubetest.InPhase(corev1.PodSucceeded)))
	decideOn(t, without, DefaultOptions())
	if lists(with) != 1 || lists(without) != 0 {
		t.Errorf("%d and %d lists of Jobs", lists(with), lists(without))
	}
}

func TestJobsThatMayNotBeReadAreNotKnown(t *testing.T) {
	client := kubetest.NewClient(kubetest.Pod("a", ofJob), makeJob(0))
	kubetest.AnswerWith(client, "list", "jobs", kubetest.NoRight("list", "jobs"))
	v := decideOn(t, client, DefaultOptions()).Verdicts[0]
	if v.Action != ActionEvict || v.JobLost || !strings.Contains(v.Message, "is not known: it could not be read") {
		t.Errorf("got %+v", v)
	}
}

func TestPodsThatAskToStayAreNamed(t *testing.T) {
	for key, values := range map[string]map[string]bool{
		"cluster-autoscaler.kubernetes.io/safe-to-evict":     {"false": true, "true": false},
		"karpenter.sh/do-not-disrupt":                        {"true": true, "10m": true, "false": false},
		"karpenter.sh/do-not-evict":                          {"true": true, "": false},
		"descheduler.alpha.kubernetes.io/prefer-no-eviction": {"": true},
		"example.com/safe-to-evict":                          {"false": false},
	} {
		for value, want := range values {
			pod := kubetest.Pod("a", func(pod *corev1.Pod) { pod.Annotations = map[string]string{key: value} })
			d := Decide(snapshotOf(pod), DefaultOptions())
			if got := d.Verdicts[0].AsksToStay == key; got != want || strings.Contains(strings.Join(d.Warnings(), ""), key) != want {
				t.Errorf("%s=%q: %+v, %q", key, value, d.Verdicts[0], d.Warnings())
			}
		}
	}
}
