// SPDX-License-Identifier: Apache-2.0

package newcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The bounds of what a host may answer.
const (
	mostLines  = 1000
	mostOfLine = 8 << 10
	mostOfFile = 1 << 20
)

// Create prepares a host and has kubeadm make a cluster on it. The answer is the host's;
// what it holds of texts is data, and its kubeconfig a secret.
func Create(ctx context.Context, host newhost.Carrier, order prep.InitOrder, report plan.Report) (prep.Founded, error) {
	var out prep.Founded
	order.Prep.Now = time.Now().Unix()
	task, err := json.Marshal(order)
	if err != nil {
		return out, fmt.Errorf("encode the order: %w", err)
	}
	answer, err := host.Deliver(ctx, wire.Delivery{Spec: wire.Spec{Operation: wire.Init, Task: task}}, report)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer.Result, &out); err != nil {
		return out, errors.New("decode the answer: it is damaged") // the error could quote the kubeconfig
	}
	if len(out.Failed)+len(out.WayOut)+len(out.Endpoint)+len(out.Version)+len(out.Node) > mostOfLine || len(out.Kubeconfig) > mostOfFile {
		return out, errors.New("the answer of the host is malformed: it has text in it that is not expected")
	}
	return out, out.Outcome.Bounded(mostLines, mostOfLine)
}
