// SPDX-License-Identifier: Apache-2.0

package network

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"

// Network is what a host's kernel has of networks: links, routes, programs.
type Network struct{ part.Host }
