// SPDX-License-Identifier: Apache-2.0

// Package cluster tells one cluster from all others: by its certificate authority and
// its endpoints, how a text refers to it, and which of the networks and addresses that
// it claims a host can believe. It is pure.
package cluster
