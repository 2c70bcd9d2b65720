// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// askAgain is the time between two questions where one had no answer.
	askAgain = 5 * time.Second
	// silentFor is how long a host may give none before that is an error: a command may
	// restart the container runtime or the network under the pod that brings the question.
	// neverFor bounds it for a host that has not given one at all.
	silentFor, neverFor = 5 * time.Minute, 2 * time.Minute
)

// askHost has a host run the command, and asks until it has ended. Where a question has no
// answer, the command goes on by itself.
func (w *Work) askHost(ctx context.Context, node *corev1.Node, order wire.CommandOrder, report plan.Report) (wire.CommandOutcome, error) {
	once := func(ctx context.Context, order wire.CommandOrder) (out wire.CommandOutcome, err error) {
		input, err := json.Marshal(order)
		if err != nil {
			return out, fmt.Errorf("encode the order: %w", err)
		}
		// The command, and what it prints, may be secret.
		raw, err := runner.RunOnce(ctx, w.cluster, node, runner.Question{Operation: wire.RunCommand, Input: input, StreamOnly: true}, report)
		if err != nil {
			return out, err
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			return out, fmt.Errorf("decode what the host of %s answers: %w", node.Name, err)
		}
		return out, nil
	}
	order.ID = newID()
	return until(ctx, order, once, report)
}

func newID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // it does not fail
	return hex.EncodeToString(raw[:])
}

// until asks once to begin, and then for the outcome.
func until(
	ctx context.Context, order wire.CommandOrder,
	once func(context.Context, wire.CommandOrder) (wire.CommandOutcome, error), report plan.Report,
) (wire.CommandOutcome, error) {
	begun, heard, silent := false, false, silence{}
	for {
		out, err := once(ctx, order)
		silent.note(err)
		switch {
		case ctx.Err() != nil:
			return out, plan.As(plan.ClassOf(ctx.Err()), plan.Hint(
				errors.New("stopped while the command may be running on the host, which ends it after its own limit at the latest"),
				"see on the host: systemctl status kubectl-lifecycle-command; to end it there: systemctl stop kubectl-lifecycle-command"))
		case err != nil && !begun && podcarrier.NotBegun(err):
			return out, err
		case err != nil && silent.lasted() > limitOf(heard):
			return out, plan.As(plan.Broken, plan.Hint(fmt.Errorf("the host has given no answer for too long: %w", err),
				"see on the host: journalctl -u kubectl-lifecycle-command"))
		case err != nil:
			report("no answer (%s); asking the host what has become of the command", text.Brief(err.Error()))
		case out.ID != order.ID:
			return out, plan.As(plan.Broken, errors.New("the host answers for another command"))
		case !out.Running:
			arrived(ctx, order.ID, once)
			return out, nil
		default:
			report("the command is still running")
			heard = true
		}
		begun, order.Args = true, nil
		if err != nil { // else it has waited
			pause(ctx)
		}
	}
}

// pause waits until it is time to ask again.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(askAgain):
	}
}

// silence is since when a host has given no answer: from the end of the first question without
// one, since a stream may have lasted for minutes before it broke.
type silence struct{ since time.Time }

func (s *silence) note(err error) {
	if err == nil {
		s.since = time.Time{}
	} else if s.since.IsZero() {
		s.since = time.Now()
	}
}

func (s *silence) lasted() time.Duration { return time.Since(s.since) }

// limitOf is for how long a host may give no answer.
func limitOf(heard bool) time.Duration {
	if heard {
		return silentFor
	}
	return neverFor
}

// forgetWithin bounds the last word to a host. Where it does not arrive, the host forgets the
// outcome by itself.
const forgetWithin = 30 * time.Second

// arrived tells the host that the outcome has arrived.
func arrived(ctx context.Context, id string, once func(context.Context, wire.CommandOrder) (wire.CommandOutcome, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetWithin)
	defer cancel()
	_, _ = once(ctx, wire.CommandOrder{ID: id, Forget: true})
}
