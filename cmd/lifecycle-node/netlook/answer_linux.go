// SPDX-License-Identifier: Apache-2.0

package netlook

import (
	"encoding/json"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Answer looks at this host, and answers the question of a delivery.
func Answer(spec wire.Spec) (json.RawMessage, error) {
	var question wire.NetworkQuestion
	if err := json.Unmarshal(spec.Task, &question); err != nil {
		return nil, fmt.Errorf("decode the question: %w", err)
	}
	found, err := Read(part.Host{}, spec.Node, question)
	if err != nil {
		return nil, err
	}
	return json.Marshal(found)
}
