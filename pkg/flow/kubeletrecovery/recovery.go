// SPDX-License-Identifier: Apache-2.0

package kubeletrecovery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// TTL is how long a token lives that is made for a kubelet.
const TTL = 15 * time.Minute

// Recovery is that of one node.
type Recovery struct {
	Node *corev1.Node
	// Done is what the host has answered.
	Done wire.KubeletRecovered

	client kubernetes.Interface
	about  join.Cluster
	who    string
	token  bootstrap.Token
	// begun says that the host may need the token.
	begun bool
}

// New decides whether a node may be recovered. It changes nothing.
func New(ctx context.Context, client kubernetes.Interface, name, who string) (*Recovery, error) {
	node, err := kubenode.Get(ctx, client, name)
	if err != nil {
		return nil, err
	}
	if kube.NodeReady(node) {
		return nil, plan.Refuse(fmt.Errorf("node %s is Ready: the certificate of its kubelet is accepted", name),
			"see when it ends: kubectl lifecycle certs check")
	}
	if err := kubenode.RequireKubeadm(ctx, client, node); err != nil {
		return nil, err
	}
	if node.Status.NodeInfo.MachineID == "" {
		return nil, plan.Refuse(fmt.Errorf("node %s does not say which machine it is", name), "have the host join again: kubectl lifecycle join")
	}
	about, err := join.Survey(ctx, client)
	if err != nil {
		return nil, err
	}
	return &Recovery{Node: node, client: client, about: about, who: who}, about.Refusal()
}

// Plan has the host do it.
func (r *Recovery) Plan(host newhost.Carrier) plan.Plan {
	name := r.Node.Name
	p := plan.Plan{Title: "Recover the kubelet of " + name, Steps: []plan.Step{
		{ID: "token", Title: "Make a bootstrap token for it alone", Undo: r.undo,
			Do: func(ctx context.Context, _ plan.Report) error {
				_, err := r.MakeToken(ctx)
				return err
			}},
		{ID: "host", Title: "Have the kubelet ask for another certificate", Do: func(ctx context.Context, report plan.Report) error {
			return r.recover(ctx, host, report)
		}},
		{ID: "ready", Title: "Wait until node " + name + " is Ready", Do: r.Await},
		{ID: "revoke", Title: "Revoke the token", Do: func(ctx context.Context, _ plan.Report) error { return r.Revoke(ctx) }},
	}}
	p.Notes = append(p.Notes, "the pods on the host go on; what the kubelet had is kept there for root")
	if kubenode.IsControlPlane(r.Node) {
		p.Notes = append(p.Notes, "it is a control plane: its API server and etcd go on; its kubelet asks the API server that it asked before")
	}
	return p
}

// MakeToken makes the token.
func (r *Recovery) MakeToken(ctx context.Context) (bootstrap.Token, error) {
	token, err := bootstrap.Mint(ctx, r.client, bootstrap.Request{TTL: TTL,
		Description: "recovery of the kubelet of " + r.Node.Name + " (kubectl lifecycle), by " + r.who})
	if err == nil {
		r.token = token
	}
	return token, err
}

// Await waits until the node is Ready.
func (r *Recovery) Await(ctx context.Context, report plan.Report) error {
	return newhost.AwaitReady(ctx, r.client, r.Node.Name, report)
}

// Revoke deletes the token.
func (r *Recovery) Revoke(ctx context.Context) error { return bootstrap.Revoke(ctx, r.client, r.token) }

func (r *Recovery) undo(ctx context.Context) error {
	if r.begun {
		return plan.ErrKept // it ends by itself
	}
	return r.Revoke(ctx)
}

func (r *Recovery) recover(ctx context.Context, host newhost.Carrier, report plan.Report) error {
	task, err := json.Marshal(wire.KubeletOrder{MachineID: r.Node.Status.NodeInfo.MachineID, ControlPlane: kubenode.IsControlPlane(r.Node)})
	if err != nil {
		return fmt.Errorf("encode the order: %w", err)
	}
	answer, err := host.Deliver(ctx, wire.Delivery{JoinToken: r.token.Whole(), Spec: wire.Spec{
		Operation: wire.RecoverKubelet, Node: r.Node.Name, Task: task,
		Destination: &wire.Destination{Endpoint: r.about.Endpoint, CA: r.about.CA},
	}}, report)
	if err != nil {
		r.begun = plan.ClassOf(err) != plan.Refused
		return err
	}
	r.begun = true
	if err := json.Unmarshal(answer.Result, &r.Done); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	had := "its certificate could not be read"
	if !r.Done.Expired.IsZero() {
		had = "its certificate had expired on " + r.Done.Expired.UTC().Format(time.DateTime)
	}
	report("%s; the new one is valid until %s", had, r.Done.Ends.UTC().Format(time.DateTime))
	report("what it had is in %s there", text.Line(r.Done.Backup))
	return nil
}
