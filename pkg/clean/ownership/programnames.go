// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Programs are names of BPF programs, of which the kernel keeps 15
// characters, and of the filters that run them (Cilium 1.18 bpf/ and
// pkg/datapath/loader, before 1.13 with the name of the object file; Calico 3.31
// felix/bpf).
func Programs() patterns {
	return compile(
		pattern{inventory.Cilium, `cil_.+|bpf_(netdev|host|overlay|network|lxc|wireguard|sock|xdp)[^:]*\.o:\[.+\]`},
		pattern{inventory.Calico, `cali_.+|calico_.+`},
	)
}
