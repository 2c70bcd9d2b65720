// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// faultsLast is how long what is wrong, and nothing else, has to be seen: agents
// that have just been told otherwise write their records again.
const faultsLast = 10 * time.Second

// Outcome is what is to be said of a network that works as far as it can.
type Outcome struct {
	// Unserved are the nodes that it does not reach, each with the reason:
	// "worker-2 (NotReady, its kubelet does not answer)". Sorted.
	Unserved []string `json:"unserved,omitempty"`
	// Doubts are what may be wrong, each with what to do.
	Doubts []Doubt `json:"doubts,omitempty"`
}

// Doubt is something that cannot be told from the API.
type Doubt struct {
	Text string `json:"text"`
	Hint string `json:"hint"`
}

// Look says what the network does not reach, and what may be wrong with it. It
// changes nothing.
func Look(ctx context.Context, client kubernetes.Interface, target Target) (Outcome, error) {
	v, err := look(ctx, client, target)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	for _, node := range v.linuxNodes() {
		if why := facts.Absence(node, v.now); why != "" {
			out.Unserved = append(out.Unserved, fmt.Sprintf("%s (%s)", node.Name, why))
		}
	}
	for _, g := range v.doubts() {
		out.Doubts = append(out.Doubts, Doubt{Text: grouped([]gap{g})[0], Hint: g.hint})
	}
	return out, nil
}

// wrong is the error of a network that waiting does not make work. Where nothing
// was to be changed it is a finding (class Found).
func (target Target) wrong(faults []gap) error {
	lines := grouped(faults)
	if len(lines) > maxReasons {
		lines = append(lines[:maxReasons], "and "+text.Count(len(lines)-maxReasons, "more reason"))
	}
	var hints []string
	said := map[string]bool{}
	for _, f := range faults {
		if !said[f.hint] && len(hints) < maxNames {
			said[f.hint] = true
			hints = append(hints, f.hint)
		}
	}
	err := errors.New("the network is there, and does not work everywhere:\n" + strings.Join(lines, "\n"))
	err = plan.Hint(err, "%s\nlook at: %s", strings.Join(hints, "\n"), faults[0].see)
	if target.Unchanged {
		return plan.As(plan.Found, err)
	}
	return plan.As(plan.Broken, err)
}
