// SPDX-License-Identifier: Apache-2.0

// Package status says in one value how the network of a cluster is, also one
// that this tool did not install.
//
//	Read  reads what is needed, by a constant number of requests
//	Of    is the status of what was read, and pure
package status
