// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Target is the cluster that a host joins, with a token that is for this host alone.
type Target struct {
	Cluster join.Cluster
	Token   bootstrap.Token
	// Key makes the host a control plane; the zero Key a worker.
	Key certificates.Key
	// NodeName is the name that the host takes; empty means its own.
	NodeName string
	// CRISocket is the runtime's; empty leaves it to kubeadm.
	CRISocket string
	// IgnorePreflightErrors are names of kubeadm's checks.
	IgnorePreflightErrors []string
}

// Join prepares one host and has kubeadm join it. It returns what the host has
// answered; it does not wait for the Node to be Ready.
func Join(ctx context.Context, host Carrier, order prep.Order, to Target, report plan.Report) (prep.Joined, error) {
	var out prep.Joined
	order.Now = time.Now().Unix()
	task, err := json.Marshal(prep.JoinOrder{Prep: order, CRISocket: to.CRISocket})
	if err != nil {
		return out, fmt.Errorf("encode the order: %w", err)
	}
	delivery := wire.Delivery{JoinToken: to.Token.Whole(), CertificateKey: to.Key.Hex(), Spec: wire.Spec{
		Operation: wire.Join, Node: to.NodeName, Task: task,
		Destination: &wire.Destination{
			Endpoint: to.Cluster.Endpoint, CA: to.Cluster.CA, Pins: to.Cluster.Pins, Version: to.Cluster.KubernetesVersion,
			IgnorePreflightErrors: to.IgnorePreflightErrors,
		},
	}}
	answer, err := host.Deliver(ctx, delivery, report)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer.Result, &out); err != nil {
		return out, fmt.Errorf("decode the answer: %w", err)
	}
	if to.NodeName != "" && out.Node != to.NodeName {
		return out, fmt.Errorf("the host says that it is node %q, and was told to be %q", out.Node, to.NodeName)
	}
	if len(out.Failed)+len(out.WayOut) > mostOfLine {
		return out, errors.New("the answer of the host is malformed: it has text in it that is not expected")
	}
	return out, out.Outcome.Bounded(mostLines, mostOfLine)
}
