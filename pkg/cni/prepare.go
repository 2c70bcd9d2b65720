// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Prepare reads the chart, renders it against the cluster and asks for the
// permissions that writing it takes, so that all that can be known to fail does
// so while nothing is changed. It returns the installation with its action made
// certain, and with the objects that will be written.
func Prepare(ctx context.Context, client kubernetes.Interface, releases release.Store, inst Installation) (Installation, error) {
	if !inst.read {
		return inst, nil
	}
	loaded, err := releases.Load(ctx, inst.Source)
	if err != nil {
		return inst, fmt.Errorf("load chart %s: %w", inst.Source.Name, err)
	}
	if err := inst.settle(loaded); err != nil {
		return inst, err
	}
	if inst.Action == release.Keep {
		return inst, nil
	}
	inst.Objects, err = releases.Render(ctx, inst.desired())
	if err != nil {
		return inst, renderError(inst, err)
	}
	return inst, allowed(ctx, client, inst.needs())
}

func (inst Installation) desired() release.Desired {
	return release.Desired{Namespace: inst.Namespace, Name: inst.Release, Chart: inst.Chart, Values: inst.values, Action: inst.Action}
}

// renderError adds the way out to what Helm says.
func renderError(inst Installation, err error) error {
	err = fmt.Errorf("render chart %s %s: %w", inst.Chart.Name, inst.Chart.Version, err)
	if strings.Contains(err.Error(), "cannot be imported into the current release") {
		return plan.Refuse(err, "these objects were applied by hand: delete the manifest they came from (kubectl delete -f), then run this again")
	}
	if apierrors.IsForbidden(err) {
		return plan.Refuse(err, "%s", askHint)
	}
	if plan.HintOf(err) != "" {
		return err
	}
	return plan.Refuse(err, "the chart and these values do not go together, or not with this Kubernetes: check --version, --set and --values")
}

const askHint = "ask the cluster's administrator for that, or use other credentials (--context, --as)"

// need is one thing that has to be allowed.
type need struct {
	verb, group, resource, namespace string
}

func (n need) String() string {
	what := n.verb + " " + n.resource
	if n.group != "" {
		what += "." + n.group
	}
	if n.namespace != "" {
		what += " in namespace " + n.namespace
	}
	return what
}

// needs lists what writing the objects takes, sorted and without repetitions.
func (inst Installation) needs() []need {
	agents := inst.network.AgentsIn(inst.Namespace)
	needs := []need{
		// What Wait watches.
		{verb: "watch", resource: "nodes"},
		{verb: "watch", resource: "pods", namespace: agents},
		{verb: "watch", group: "apps", resource: "daemonsets", namespace: agents},
		{verb: "watch", group: "apps", resource: "deployments", namespace: metav1.NamespaceSystem},
	}
	if inst.ownNamespace() {
		needs = append(needs, need{verb: "create", resource: "namespaces"}, need{verb: "patch", resource: "namespaces"})
	}
	for _, o := range inst.Objects {
		for _, verb := range []string{"get", "create", "patch"} {
			if verb == "patch" && o.Resource == "secrets" {
				verb = "update"
			}
			needs = append(needs, need{verb, o.Group, o.Resource, o.Namespace})
		}
	}
	slices.SortFunc(needs, func(a, b need) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(needs)
}

// allowed asks the API server for each need, and refuses with the list of what
// is missing.
func allowed(ctx context.Context, client kubernetes.Interface, needs []need) error {
	denied, err := kube.Denied(ctx, client, needs, func(n need) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: n.verb, Group: n.group, Resource: n.resource, Namespace: n.namespace}
	})
	if err != nil || len(denied) == 0 {
		return err
	}
	var missing []string
	for _, n := range denied {
		missing = append(missing, n.String())
	}
	return plan.Refuse(errors.New("you may not "+strings.Join(missing, ", nor ")), "%s", askHint)
}
