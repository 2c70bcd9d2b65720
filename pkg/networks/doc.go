// SPDX-License-Identifier: Apache-2.0

// Package networks is what several parts know of pod networks alike: their names, where
// their agents run, what they call themselves on a host, and the ports that they open
// there. The host's side reads it, too: standard library only. How a network is installed
// is in pkg/cni/catalogue, what it leaves on a host in pkg/clean.
package networks
