// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/ownunit"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	// Verb is the command by which this program starts itself in the unit.
	Verb = "renew"
	unit = certs.RenewalUnit
	// limit bounds a renewal, without the way back: the restarts of four programs.
	limit = 9 * time.Minute
	// mostOfOrder bounds an order.
	mostOfOrder = 64 << 10
	// copyPrefix begins the name of the copy that the unit runs.
	copyPrefix = "certs."
)

// Answer renews what a delivery says, and returns the outcome.
func Answer(ctx context.Context, spec wire.Spec) (json.RawMessage, error) {
	if certlook.Renewing(ctx) {
		return nil, plan.Refuse(errors.New("certificates are being renewed on this host already"),
			"wait until that has ended; see on the host: systemctl status %s", unit)
	}
	copied, err := ownunit.Copy(copyPrefix)
	if err != nil {
		return nil, fmt.Errorf("copy the program: %w", err)
	}
	defer func() { _ = os.Remove(copied) }() // where the unit has not begun
	// Nothing that ends the connection may end the unit.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+back+time.Minute)
	defer cancel()
	out, err := host.Local{}.Run(ctx, host.Command{Name: "systemd-run", Args: []string{"--quiet", "--collect", "--pipe", "--wait",
		"--unit=" + unit, "--description=kubectl lifecycle renews certificates", "--setenv=PATH=" + os.Getenv("PATH"), copied, Verb},
		Stdin: string(spec.Task), Timeout: limit + back + time.Minute, Most: 4 << 20})
	raw := json.RawMessage(bytes.TrimSpace([]byte(out)))
	if err == nil && !json.Valid(raw) {
		err = errors.New("it answered no outcome")
	}
	if err != nil { // it may have begun, so this is no refusal
		return json.Marshal(certs.Outcome{Lost: true, Error: fmt.Sprintf("the unit %s of the host: %v", unit, err)})
	}
	return raw, nil
}

// Run is what the unit does: it reads an order, and writes the outcome. lock lets it alone
// change the host.
func Run(ctx context.Context, in io.Reader, out io.Writer, lock func() (unlock func(), err error)) error {
	ownunit.Discard(copyPrefix)
	raw, err := io.ReadAll(io.LimitReader(in, mostOfOrder))
	if err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	var order certs.Renewal
	if err := json.Unmarshal(raw, &order); err != nil {
		return fmt.Errorf("decode the order: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return json.NewEncoder(out).Encode(newRenewal(order, lock).do(ctx))
}
