// SPDX-License-Identifier: Apache-2.0

// Package certrenew has the certificates of the control planes renewed, one host after
// another: one that is not ready first, the leader of etcd last.
//
//	Read    reads the control planes, their hosts included
//	Decide  refuses what would endanger the cluster, and says what is renewed where; pure
//	Plan    the renewal, host by host
package certrenew
