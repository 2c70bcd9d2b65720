// SPDX-License-Identifier: Apache-2.0

// Package ipvs deletes the virtual services of the kernel's load balancer (IPVS), as
// kube-proxy makes them. All of it is for Linux.
package ipvs
