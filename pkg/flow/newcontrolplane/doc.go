// SPDX-License-Identifier: Apache-2.0

// Package newcontrolplane makes the certificates of a cluster available to the one host
// that is to become another control plane.
//
//	Read    reads the control planes that there are
//	Choose  refuses a cluster that no control plane can join, and names the host to ask
//	Share   has that host encrypt the certificates, and puts them into the cluster
//	Await   waits until the new control plane serves
package newcontrolplane
