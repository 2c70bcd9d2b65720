// SPDX-License-Identifier: Apache-2.0

// Package joining has the commands that bring a host into the cluster: join.
//
//	join.go     the command, and following the host
//	token.go    making its bootstrap token
//
// What a host needs to know, and how it arrives, is decided in pkg/join.
package joining
