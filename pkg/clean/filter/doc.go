// SPDX-License-Identifier: Apache-2.0

// Package filter takes what is Kubernetes' or its network's out of the packet
// filter: iptables-legacy, iptables-nft, tables of nft, ip sets and the virtual
// services of IPVS.
//
// It divides each table into what is ours and what is not (pure), writes the whole
// packet filter down before the first change, deletes by handle in one transaction
// for each table, and brings back exactly what it deleted if no new connection
// reaches an API server afterwards.
package filter
