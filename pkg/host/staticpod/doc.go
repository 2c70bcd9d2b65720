// SPDX-License-Identifier: Apache-2.0

// Package staticpod finds the program of a control plane that the kubelet runs from a
// manifest on the host, and restarts it.
//
// The container runtime tells which one it is. A process that looks like it may be a
// tenant's: names and flags are free, and so is an API server in a pod of the cluster.
package staticpod
