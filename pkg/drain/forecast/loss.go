// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// losses are what goes with the pods although all goes well.
func (v *view) losses(c course) []Loss {
	var out []Loss
	index := map[string]int{}
	add := func(kind LossKind, i int, detail string) {
		verdict := v.going[i]
		key := fmt.Sprint(kind, verdict.Namespace, verdict.Owners)
		if j, known := index[key]; known && len(verdict.Owners) > 0 {
			out[j].Pods = append(out[j].Pods, verdict.Pod)
			return
		}
		index[key] = len(out)
		out = append(out, Loss{Kind: kind, Owners: verdict.Owners, Pods: []drain.Pod{verdict.Pod}, Detail: detail})
	}
	for i, pod := range v.pods {
		if kube.Finished(pod) || !c.steps[i].left {
			continue
		}
		v.local(i, add)
		if len(v.going[i].Owners) == 0 || v.going[i].Has(drain.ReasonDaemonSetMissing) {
			add(LossUnmanaged, i, "")
		}
		if top, known := v.top(v.going[i].Owners); known && top.Replicas == 1 && kube.PodReady(pod) && !v.surged(i) {
			add(LossSingleReplica, i, "")
		}
		if v.going[i].JobLost {
			add(LossJob, i, v.going[i].Job)
		}
		if v.going[i].AsksToStay != "" {
			add(LossUndisturbed, i, v.going[i].AsksToStay)
		}
	}
	v.wiped(c, add)
	slices.SortStableFunc(out, func(a, b Loss) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	return out
}

// local names the data that a pod has on its node.
func (v *view) local(i int, add func(LossKind, int, string)) {
	var paths, volumes, ephemeral, own []string
	for _, volume := range v.pods[i].Spec.Volumes {
		switch {
		case volume.HostPath != nil:
			paths = append(paths, volume.HostPath.Path)
		case volume.Ephemeral != nil: // its claim is the pod's, and goes with it (k8s.io/component-helpers, storage/ephemeral)
			ephemeral, own = append(ephemeral, volume.Name), append(own, v.pods[i].Name+"-"+volume.Name)
		}
	}
	for _, c := range drain.ClaimsOf(v.pods[i]) {
		if slices.Contains(own, c.Name) {
			continue
		}
		if pv := v.Local[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}]; pv != "" {
			volumes = append(volumes, fmt.Sprintf("%s (claim %s)", pv, c.Name))
		}
	}
	if kube.HasEmptyDir(v.pods[i]) {
		add(LossEmptyDir, i, "")
	}
	if len(paths) > 0 {
		add(LossHostPath, i, text.Some(paths))
	}
	if len(ephemeral) > 0 {
		add(LossEphemeralVolume, i, text.Some(ephemeral))
	}
	if len(volumes) > 0 {
		add(LossLocalVolume, i, text.Some(volumes))
	}
}

// wiped finds the workloads of which every pod leaves in one wave.
func (v *view) wiped(c course, add func(LossKind, int, string)) {
	type key struct {
		owner types.UID
		at    time.Duration
	}
	together := map[key][]int{}
	for i, verdict := range v.going {
		if len(verdict.Owners) > 0 && c.steps[i].left && kube.PodReady(v.pods[i]) {
			k := key{verdict.Owners[len(verdict.Owners)-1].UID, c.steps[i].at}
			together[k] = append(together[k], i)
		}
	}
	for i, verdict := range v.going {
		if len(verdict.Owners) == 0 || !c.steps[i].left || v.surged(i) {
			continue
		}
		all := together[key{verdict.Owners[len(verdict.Owners)-1].UID, c.steps[i].at}]
		top, known := v.top(verdict.Owners)
		if known && top.Replicas > 1 && len(all) >= int(top.Replicas) && kube.PodReady(v.pods[i]) {
			add(LossAllReplicas, i, "")
		}
	}
}
