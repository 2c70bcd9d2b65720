// SPDX-License-Identifier: Apache-2.0

// Package controlplane decides whether a control-plane node may leave: whether the
// cluster goes on without it, and whether its API server is the one through which
// kubelets, or this very command, reach the cluster.
package controlplane
