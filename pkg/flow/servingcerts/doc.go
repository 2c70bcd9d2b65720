// SPDX-License-Identifier: Apache-2.0

// Package servingcerts approves the requests of kubelets for serving certificates, which
// Kubernetes itself never approves (kubernetes/kubernetes#73356).
//
//	Decide   says of a request whether it is the node's own; pure
//	Survey   reads what waits, and decides
//	Approve  approves one of them
package servingcerts
