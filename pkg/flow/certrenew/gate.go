// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// stillWell refuses to begin with another host where the control planes are not what they
// were when it was decided, or one is not well by now.
func (r *Renewal) stillWell(ctx context.Context) error {
	nodes, err := kube.ListNodes(ctx, r.cluster.Client, metav1.ListOptions{})
	if err != nil {
		return err
	}
	there, err := certcheck.Choose(nodes, false)
	if err != nil {
		return err
	}
	if err := same(r.facts.Nodes, there); err != nil {
		return err
	}
	status := 0
	err = r.cluster.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status).Error()
	if err != nil || status != http.StatusOK {
		return plan.Refuse(errors.Join(fmt.Errorf("the API server that this kubeconfig reaches is not ready (HTTP status %d)", status), err),
			"fix that first; see: %s", text.Command("kubectl", "get", "--raw", "/readyz?verbose"))
	}
	return nil
}

// same refuses control planes that are others than those it was decided for, or not Ready.
func same(decided, there []*corev1.Node) error {
	if len(there) != len(decided) {
		return plan.Refuse(fmt.Errorf("the cluster now has %d control planes, not %d", len(there), len(decided)), "run the command again")
	}
	for i, n := range there {
		if n.UID != decided[i].UID {
			return plan.Refuse(fmt.Errorf("control plane %s was replaced by another Node of that name while this was running", n.Name),
				"run the command again")
		}
		if !kube.NodeReady(n) {
			return plan.Refuse(fmt.Errorf("control plane %s is not Ready any more", n.Name),
				"bring it back and run the command again; see: %s", text.Command("kubectl", "describe", "node", n.Name))
		}
	}
	return nil
}

// allReady asks the hosts of all control planes, under the lock and before one of them begins.
// What was read when it was decided may be minutes old, and a lock that was taken over says
// nothing of a unit that goes on by itself.
func (r *Renewal) allReady(ctx context.Context, h Host, report plan.Report) error {
	report("asking the hosts of all control planes again")
	var looks []certs.Look
	for _, n := range r.facts.Nodes {
		look, err := r.look(ctx, n)
		if err != nil {
			return fmt.Errorf("ask the host of %s: %w", n.Name, err)
		}
		looks = append(looks, look)
	}
	return Facts{Nodes: r.facts.Nodes, Looks: looks}.ready(h.Node.Name)
}

// ready refuses to begin on a host while a renewal is at work on any, or any but this one is
// not ready: two that are away at once may take the quorum of etcd. It is pure.
func (f Facts) ready(host string) error {
	for i, n := range f.Nodes {
		look := f.Looks[i]
		if err := settled(look, n.Name); err != nil {
			return err
		}
		if n.Name != host && troubled(look) {
			return plan.Refuse(fmt.Errorf("control plane %s is no longer ready: %s", n.Name, trouble(look)),
				"run the command again: it begins there")
		}
	}
	for i := range f.Nodes {
		if _, err := f.etcd(i); err != nil {
			return err
		}
	}
	return nil
}

// troubled reports whether a host is one that the renewal has to mend before any other.
func troubled(look certs.Look) bool { return look.Unfinished || look.APITrouble != "" }

func trouble(look certs.Look) string {
	if look.Unfinished {
		return "a renewal was begun there, and neither finished nor undone" + because(look)
	}
	return text.Brief(look.APITrouble)
}

// mostOfWhy bounds what is shown of it.
const mostOfWhy = 600

// because is what a host has written down of why its renewal failed; empty if nothing.
func because(look certs.Look) string {
	if look.Why == "" {
		return ""
	}
	return "; the host says: " + text.Short(look.Why, mostOfWhy)
}

// interrupted is the error of a person, or a time limit, that has ended the command while the
// unit of a host may be at work. The lock is not given back then, so that no other command
// takes a control plane away from beside it.
func (r *Renewal) interrupted(ctx context.Context, node string) error {
	r.atWork = node
	return plan.As(plan.ClassOf(ctx.Err()), plan.Hint(
		fmt.Errorf("stopped while the host of %s may be renewing its certificates, which it ends by itself; the control planes stay locked",
			node),
		"run the same command again: it takes the lock over once that has been silent for a minute, and goes on when the host has ended"))
}
