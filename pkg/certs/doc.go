// SPDX-License-Identifier: Apache-2.0

// Package certs knows which certificates a kubeadm cluster has, reads them, and says
// when each ends and what is wrong with it.
//
//	Read      the certificates of one host, through an fs.FS
//	Bundle    the certificates in PEM
//	Lifetimes what a kubelet says of its own certificates in its metrics
//	Judge     the status of each row, by the time and two limits
//	Compare   what must be equal on all control planes
//
// It assumes no algorithm of keys: a certificate whose algorithm this program does not
// know has a row like any other, and what could not be proved of it is said. A private
// key is compared where it lies, and nothing of it is in a row. The package is pure: it
// opens nothing but the fs.FS, and asks no clock.
package certs
