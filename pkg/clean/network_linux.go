// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/runtime"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// networkParts are those of a network on a host that stays a node: what a removal knows
// of them, with nothing of the kubelet, its pods and its credentials.
func (t Target) networkParts() []part.Part {
	disk, network, rules := t.disk(), t.network(), t.rules()
	return []part.Part{
		disk.PodMounts(), network.Programs(), rules.Virtuals(), network.Links(), network.Routes(), rules.Rules(), rules.Sets(),
		network.Pins(), disk.NetworkFiles(),
	}
}

// Users are the pods that run here in the network to which the target is limited, and the
// network's agents: their names begin with one of some ("kube-flannel/kube-flannel-ds-").
func (t Target) Users(ctx context.Context, agents []string) (runtime.Users, error) {
	return t.ready().runtime().Users(ctx, agents)
}

// NetworkRecipe takes one network's leftovers off a host that stays a node. Its
// configurations go first, so that no pod starts in it on the way; then, where keepPods,
// it is looked for pods once more, but for those that wait for another network. The target
// has to have a scope.
func (t Target) NetworkRecipe(keepPods bool, waiting ...string) plan.Plan {
	t = t.ready()
	p := plan.Plan{Title: "Clean the host of " + string(t.Scope.Owner)}
	if !t.Scope.Known() {
		p.Steps = []plan.Step{{ID: "scope", Title: "Know the network", Do: func(context.Context, plan.Report) error {
			return fmt.Errorf("nothing is known of what %q leaves on hosts", t.Scope.Owner)
		}}}
		return p
	}
	configurations := t.disk().Configurations()
	configurations.Take = t.remembering(configurations.Take)
	p.Steps = append(p.Steps, configurations.Step())
	if keepPods && t.Scope.Network() != "" {
		p.Steps = append(p.Steps, plan.Step{ID: "pods", Title: "Look for pods once more", Do: func(ctx context.Context, _ plan.Report) error {
			return t.unused(ctx, waiting)
		}})
	}
	for _, one := range t.parts() {
		one.Title = itsOwn(one.Title)
		one.Take = t.remembering(one.Take)
		p.Steps = append(p.Steps, one.Step())
	}
	return p
}

// itsOwn is the title of a stage for one network alone.
func itsOwn(title string) string {
	return strings.NewReplacer("Kubernetes' and the network's", "its", "Kubernetes'", "its", "the pod network's", "its", "for pods", "for it").
		Replace(title)
}

// unused is the error of a network that pods run in.
func (t Target) unused(ctx context.Context, waiting []string) error {
	users, err := t.runtime().Users(ctx, nil)
	users.Pods = slices.DeleteFunc(users.Pods, func(pod string) bool { return slices.Contains(waiting, pod) })
	if err != nil || len(users.Pods) == 0 {
		return err
	}
	return plan.Hint(fmt.Errorf("pods have started in this network just now: %s", text.First(users.Pods, mostNamed)),
		"delete them, then run the same command again")
}

// mostNamed is how many pods a sentence names.
const mostNamed = 5
