// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Pins are names directly in /sys/fs/bpf, in its tc and in its tc/globals: the networks' own
// directories (Cilium pkg/defaults, since 1.14; Calico felix/bpf/bpfdefs), and maps and
// programs, whose names change from release to release, where a network has another sign.
func Pins() Names {
	return Names{
		kind:  inventory.KindPin,
		known: compile(pattern{inventory.Cilium, `cilium`}, pattern{inventory.Calico, `calico`}),
		claimed: compile(
			pattern{inventory.Cilium, `tc/globals/cilium_.+`},
			pattern{inventory.Calico, `tc/globals/(cali_.+|calico_.+)|tc/cali.*|(cali|calico|xdp_cali)_.+`},
		),
	}
}
