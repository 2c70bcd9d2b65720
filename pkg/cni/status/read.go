// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

const (
	// maxEvents bounds how many events are asked for, and maxLogs how many logs of
	// agents that crash, and how many Secrets.
	maxEvents, maxLogs = 500, 3
	// recent is how old an event may be and still say something of today.
	recent = 10 * time.Minute
)

// Read reads what a status is made of. The number of requests does not depend on how
// many nodes or pods there are. Releases may be nil; what is not allowed besides
// nodes, DaemonSets and pods is done without.
func Read(ctx context.Context, client kubernetes.Interface, releases release.Store, signs []facts.Sign) (finding.Input, error) {
	var in finding.Input
	var events []corev1.Event
	group, within := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		in.Facts, in.Objects, err = facts.ReadAll(within, client, signs)
		if err == nil {
			in.Pods, err = facts.ReadPods(within, client, in.Facts, in.Objects, finding.TakesNodeCIDRs)
		}
		return err
	})
	group.Go(func() error {
		events = failedSandboxes(within, client)
		return nil
	})
	if err := group.Wait(); err != nil {
		return finding.Input{}, err
	}
	in.Sandboxes = sandboxes(events, in.Pods, time.Now())
	in.Words = lastWords(ctx, client, in.Pods)
	in.MissingSecrets = missingSecrets(ctx, client, in.Networks)
	in.Releases = releasesOf(ctx, releases, in.Networks)
	return in, ctx.Err()
}

// failedSandboxes are the kubelets' events of pods that got no network; none where
// events may not be listed.
func failedSandboxes(ctx context.Context, client kubernetes.Interface) []corev1.Event {
	list, err := client.CoreV1().Events(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("reason", "FailedCreatePodSandBox").String(), Limit: maxEvents,
	})
	if err != nil {
		return nil
	}
	return list.Items
}

// sandboxes keeps of events those of pods that still have no address.
func sandboxes(events []corev1.Event, pods facts.Pods, now time.Time) []finding.Sandbox {
	var out []finding.Sandbox
	for _, e := range events {
		name := e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name
		last := e.LastTimestamp.Time
		if e.Series != nil {
			last = e.Series.LastObservedTime.Time
		}
		node, starting := pods.Starting[name]
		if e.Reason == "FailedCreatePodSandBox" && starting && now.Sub(last) < recent {
			out = append(out, finding.Sandbox{Node: node, Pod: name, Message: e.Message, At: last})
		}
	}
	return out
}

// lastWords are those of the first agents that crash.
func lastWords(ctx context.Context, client kubernetes.Interface, pods facts.Pods) map[string]string {
	words := map[string]string{}
	for _, pod := range slices.Concat(pods.Agents...) {
		if state := health.AgentOf(pod); state.Crashed != "" && len(words) < maxLogs {
			words[pod.Namespace+"/"+pod.Name] = health.LastWords(ctx, client, pod, state.Crashed)
		}
	}
	return words
}

// missingSecrets are pull secrets of agents that are not there.
func missingSecrets(ctx context.Context, client kubernetes.Interface, networks []facts.Network) []string {
	var missing []string
	asked := 0
	for _, n := range networks {
		for _, name := range n.PullSecrets {
			if asked++; asked > maxLogs {
				return missing
			}
			if _, err := client.CoreV1().Secrets(n.Namespace).Get(ctx, name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
				missing = append(missing, n.Namespace+"/"+name)
			}
		}
	}
	return missing
}

// releasesOf are the releases that the agents say they belong to. One that may not be
// read is left out: the agents say its name themselves.
func releasesOf(ctx context.Context, store release.Store, networks []facts.Network) []release.Release {
	var out []release.Release
	for _, n := range networks {
		if store == nil || n.Release == "" {
			continue
		}
		if r, err := store.Find(ctx, n.ReleaseNamespace, n.Release); err == nil && r.Revision > 0 {
			out = append(out, r)
		}
	}
	return out
}
