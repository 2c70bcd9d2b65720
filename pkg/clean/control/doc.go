// SPDX-License-Identifier: Apache-2.0

// Package control takes a host out of a cluster's control: it stops and holds the
// kubelet first, deletes the node's credentials last, since they are the way back, and
// then releases the kubelet's unit. It also says what would stop the host from joining
// again, and which kernel parameters look as a node's agents leave them.
package control
