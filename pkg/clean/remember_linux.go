// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"errors"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// remember writes down when the host joined, which cluster, and where its kubelet keeps
// what it makes, unless that is known already.
func (t Target) remember(ctx context.Context) error {
	if t.StateDir == "" {
		return nil
	}
	errs := []error{t.base().RememberPlaces()}
	if !t.Facts.Joined.IsZero() {
		errs = append(errs, t.base().Keep(part.JoinedFile, func() ([]byte, error) {
			return []byte(t.Facts.Joined.UTC().Format(time.RFC3339Nano) + "\n"), nil
		}))
	}
	if !t.Scope.Limited() { // on a host that stays a node none is removed
		errs = append(errs, t.runtime().RememberNamespaces(ctx), t.runtime().RememberShares(ctx), t.devices().Remember())
	}
	return errors.Join(append(errs, t.base().RememberIdentity(), t.rememberSigns())...)
}
