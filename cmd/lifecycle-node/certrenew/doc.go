// SPDX-License-Identifier: Apache-2.0

// Package certrenew has kubeadm renew the certificates of a control plane's host, proves
// that they are good and in use, and puts the earlier ones back where that fails.
//
// It works as a transient unit of the host, so that neither the end of the pod that brought
// it nor that of the connection stops it in the middle. Called again it finds by itself
// what is left to do: a program that uses an earlier certificate is restarted.
package certrenew
