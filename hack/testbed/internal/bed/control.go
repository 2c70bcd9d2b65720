// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
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
	err = errors.Join(b.tools(ctx), p.Build(ctx))
	release()
	if err != nil {
		return err
	}
	return p.Up(ctx)
}

// Build builds all that a bed and a control plane are made of, and brings nothing
// up but the engine.
func (b *Bed) Build(ctx context.Context) error {
	if err := sys.Here().Check(); err != nil {
		return err
	}
	if err := b.ensureEngine(ctx); err != nil {
		return err
	}
	if _, err := b.imageAndTools(ctx); err != nil {
		return err
	}
	release, err := sys.Lock(ctx, b.buildLock(), b.Progress)
	if err != nil {
		return err
	}
	defer release()
	return b.Control().Build(ctx)
}
