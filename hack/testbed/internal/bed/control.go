// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/control"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// Control is the bed's control plane without nodes.
func (b *Bed) Control() *control.Plane {
	return &control.Plane{
		Dir: filepath.Join(b.Cache, "control", b.Name), Version: b.Version, Builder: b.builder, Progress: b.Progress,
	}
}

// UpControl brings it up, with kubectl beside it.
func (b *Bed) UpControl(ctx context.Context, p *control.Plane) error {
	release, err := sys.Lock(ctx, b.buildLock(), b.Progress)
	if err != nil {
		return err
	}
	err = b.tools(ctx)
	release()
	if err != nil {
		return err
	}
	return p.Up(ctx)
}
