// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/bed"
)

// pause is how long an API server that is started again stays away.
const pause = 2 * time.Second

// plane does what "control COMMAND" asks for.
func plane(ctx context.Context, b *bed.Bed, command string) error {
	p := b.Control()
	switch command {
	case "up":
		return b.UpControl(ctx, p)
	case "down":
		if err := p.Down(); err != nil {
			return err
		}
		b.Progress.Say("control plane %s is gone", b.Name)
		return nil
	case "status":
		if !p.Running() {
			return errIncomplete
		}
		fmt.Fprintln(os.Stdout, "running")
		return nil
	case "env":
		fmt.Fprintf(os.Stdout, "export CONTROL_NAME=%s\nexport CONTROL_KUBECONFIG=%s\nexport CONTROL_AUDIT_LOG=%s\nexport TESTBED_KUBECTL=%s\n",
			b.Name, p.Kubeconfig(), p.AuditLog(), b.Program("kubectl"))
		return nil
	case "restart":
		return p.Restart(ctx, "kube-apiserver", pause)
	}
	return fmt.Errorf("%w: control takes up, down, status, env or restart, not %q", errUsage, command)
}
