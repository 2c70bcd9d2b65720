// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Carrier hands a delivery to a host and returns its answer.
type Carrier interface {
	Deliver(ctx context.Context, delivery wire.Delivery, report plan.Report) (wire.Answer, error)
}

// mostLines and mostOfLine bound what a host may answer.
const (
	mostLines  = 1000
	mostOfLine = 8 << 10
)

// Prepare has one host say what it lacks; with order.Apply it also mends that, or takes
// it back. The answer is the host's: its texts are data.
func Prepare(ctx context.Context, host Carrier, order prep.Order, report plan.Report) (prep.Outcome, error) {
	var out prep.Outcome
	order.Now = time.Now().Unix()
	task, err := json.Marshal(order)
	if err != nil {
		return out, fmt.Errorf("encode the order: %w", err)
	}
	answer, err := host.Deliver(ctx, wire.Delivery{Spec: wire.Spec{Operation: wire.Prep, Task: task}}, report)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(answer.Result, &out); err != nil {
		return out, fmt.Errorf("decode the outcome: %w", err)
	}
	return out, out.Bounded(mostLines, mostOfLine)
}
