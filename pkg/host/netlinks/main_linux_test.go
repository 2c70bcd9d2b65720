// SPDX-License-Identifier: Apache-2.0

package netlinks

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m) }
