// SPDX-License-Identifier: Apache-2.0

// Package cni says of every configuration of a CNI network on a host whose it is, by
// its content first, what becomes of it, and where the network's agents listen.
package cni
