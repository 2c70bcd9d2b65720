// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ReadJobs reads the Jobs in one list. Who may not read them is not told what
// becomes of them.
func (s *Snapshot) ReadJobs(ctx context.Context, client kubernetes.Interface, chunk int64) error {
	s.Jobs = map[types.UID]*batchv1.Job{}
	return kube.Pages(metav1.ListOptions{Limit: chunk}, func(query metav1.ListOptions) (string, error) {
		list, err := client.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, query)
		if apierrors.IsForbidden(err) {
			s.Jobs = nil
			return "", nil
		}
		if err != nil {
			return "", kube.UnreadList(err, "jobs.batch")
		}
		for i := range list.Items {
			s.Jobs[list.Items[i].UID] = &list.Items[i]
		}
		return list.Continue, nil
	})
}

// isJob reports whether a pod's controller is a Job.
func isJob(ref *metav1.OwnerReference) bool {
	return ref != nil && ref.Kind == "Job" && ref.APIVersion == batchv1.SchemeGroupVersion.String()
}

// fate is what becomes of a Job when pods of it are evicted.
type fate struct {
	// text is one sentence, for a person.
	text string
	// lost is true if the Job, or an index of it, fails by that.
	lost bool
	// again is true if the Job's controller creates another pod.
	again bool
}

// fateOf says what becomes of a Job when n of its pods are evicted, one of them
// this one, by the rules of the Job controller (Kubernetes 1.36, pkg/controller/job):
// an evicted pod counts as failed, unless the Job's podFailurePolicy ignores
// disruptions. A container that ends with an exit code may meet another rule of
// that policy first; which code that will be is not known before.
func fateOf(job *batchv1.Job, pod *corev1.Pod, n int) fate {
	name := "Job " + job.Namespace + "/" + job.Name
	switch spec := job.Spec; {
	case ended(job):
		return fate{text: name + " has ended; it creates no other pod"}
	case spec.ManagedBy != nil && *spec.ManagedBy != batchv1.JobControllerName:
		return fate{text: fmt.Sprintf("%s is managed by %s, which decides what becomes of it", name, *spec.ManagedBy), again: true}
	case spec.Suspend != nil && *spec.Suspend:
		return fate{text: name + " is suspended; it creates another pod once it is resumed"}
	}
	switch action := disruptionAction(job); action {
	case batchv1.PodFailurePolicyActionFailJob:
		return fate{text: name + ": its podFailurePolicy fails the Job when a pod of it is disrupted", lost: true}
	case batchv1.PodFailurePolicyActionIgnore:
		return fate{text: name + " does not count the pod as failed and creates another one, which begins from the start", again: true}
	case batchv1.PodFailurePolicyActionFailIndex:
		return fate{text: name + ": its podFailurePolicy fails the pod's index, and no other pod does that work", lost: true}
	case batchv1.PodFailurePolicyActionCount:
	}
	if spec := job.Spec; spec.BackoffLimitPerIndex != nil {
		return fateOfIndex(job, pod, name)
	}
	limit, failed := int32(6), job.Status.Failed
	if job.Spec.BackoffLimit != nil {
		limit = *job.Spec.BackoffLimit
	}
	if failed+int32(n) > limit {
		return fate{text: fmt.Sprintf("%s: %s as failed and backoffLimit %d allows no other%s: the Job fails",
			name, text.Choose(n == 1, "the pod counts", fmt.Sprintf("%d pods count", n)), limit, text.Choose(failed == 0, "",
				fmt.Sprintf(" (%d failed before)", failed))), lost: true}
	}
	if job.Spec.Completions == nil && job.Status.Succeeded > 0 {
		return fate{text: name + " has a pod that succeeded, so it creates no other"}
	}
	return fate{text: fmt.Sprintf("%s counts the pod as failed (%d of %d) and creates another one, which begins from the start", name,
		int(failed)+n, limit), again: true}
}

// fateOfIndex is that of a Job that counts failures by index.
func fateOfIndex(job *batchv1.Job, pod *corev1.Pod, name string) fate {
	index, limit := pod.Annotations[batchv1.JobCompletionIndexAnnotation], *job.Spec.BackoffLimitPerIndex
	failures, _ := strconv.Atoi(pod.Annotations[batchv1.JobIndexFailureCountAnnotation]) // none is 0
	if failures < int(limit) {
		return fate{text: fmt.Sprintf("%s counts the pod of index %s as failed (%d of %d) and creates another one, which begins from the start",
			name, index, failures+1, limit), again: true}
	}
	return fate{text: fmt.Sprintf("%s: the pod of index %s counts as failed and backoffLimitPerIndex %d allows no other: the index fails, "+
		"and the Job in the end", name, index, limit), lost: true}
}

// disruptionAction is what the Job's podFailurePolicy does about a pod with the
// condition DisruptionTarget, which the eviction sets; Count if it says nothing.
// The API allows such a policy with restartPolicy Never only.
func disruptionAction(job *batchv1.Job) batchv1.PodFailurePolicyAction {
	if job.Spec.PodFailurePolicy != nil {
		for _, rule := range job.Spec.PodFailurePolicy.Rules {
			if slices.ContainsFunc(rule.OnPodConditions, func(c batchv1.PodFailurePolicyOnPodConditionsPattern) bool {
				return c.Type == corev1.DisruptionTarget && (c.Status == corev1.ConditionTrue || c.Status == "")
			}) {
				return rule.Action
			}
		}
	}
	return batchv1.PodFailurePolicyActionCount
}

// ended reports whether the Job has come to an end, or is about to.
func ended(job *batchv1.Job) bool {
	return job.DeletionTimestamp != nil || slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && slices.Contains([]batchv1.JobConditionType{
			batchv1.JobComplete, batchv1.JobFailed, batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet,
		}, c.Type)
	})
}

// undisturbed are the annotations by which a pod asks other tools not to be
// moved, with the value that means it; empty means any value.
func undisturbed() map[string]string {
	return map[string]string{
		"cluster-autoscaler.kubernetes.io/safe-to-evict":     "false",
		"karpenter.sh/do-not-disrupt":                        "",
		"karpenter.sh/do-not-evict":                          "true",
		"descheduler.alpha.kubernetes.io/prefer-no-eviction": "",
	}
}

// asksToStay is the annotation by which a pod asks not to be disrupted; empty if
// it has none. The eviction API does not know it.
func asksToStay(pod *corev1.Pod) string {
	var out []string
	for key, want := range undisturbed() {
		if value, has := pod.Annotations[key]; has && (value == want || want == "" && value != "false") {
			out = append(out, key)
		}
	}
	sort.Strings(out)
	if len(out) == 0 {
		return ""
	}
	return out[0]
}

// leavingOf counts the pods of each Job that have to leave and have not ended.
func (s *Snapshot) leavingOf(d Decision) map[types.UID]int {
	out, at := map[types.UID]int{}, map[types.UID]*corev1.Pod{}
	for i := range s.Pods {
		at[s.Pods[i].UID] = &s.Pods[i]
	}
	for _, v := range d.With(ActionEvict, ActionDelete) {
		if pod := at[v.UID]; pod != nil && !kube.Finished(pod) {
			if ref := metav1.GetControllerOf(pod); isJob(ref) {
				out[ref.UID]++
			}
		}
	}
	return out
}

// jobs fills in what becomes of Jobs, which depends on how many of their pods
// leave.
func (s *Snapshot) jobs(d *Decision) {
	leaving, at := s.leavingOf(*d), map[types.UID]*corev1.Pod{}
	if len(leaving) == 0 {
		return
	}
	for i := range s.Pods {
		at[s.Pods[i].UID] = &s.Pods[i]
	}
	for i := range d.Verdicts {
		v, pod := &d.Verdicts[i], at[d.Verdicts[i].UID]
		if v.Action != ActionEvict && v.Action != ActionDelete || kube.Finished(pod) || !isJob(metav1.GetControllerOf(pod)) {
			continue
		}
		ref := metav1.GetControllerOf(pod)
		v.Job = "what becomes of Job " + pod.Namespace + "/" + ref.Name + " is not known: it could not be read"
		if job := s.Jobs[ref.UID]; job != nil {
			f := fateOf(job, pod, leaving[ref.UID])
			v.Job, v.JobLost = f.text, f.lost
			if cron := metav1.GetControllerOf(job); cron != nil && cron.Kind == "CronJob" {
				v.Owners = append(v.Owners, Owner{Kind: cron.Kind, Name: cron.Name, UID: cron.UID})
				v.Job += text.Choose(f.lost, fmt.Sprintf("; CronJob %s starts the next at its own time", cron.Name), "")
			}
		}
		if v.Reason == ReasonManaged {
			v.Message = v.Job
		}
	}
}
