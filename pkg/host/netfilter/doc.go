// SPDX-License-Identifier: Apache-2.0

// Package netfilter reads a host's packet filter as it really is and deletes
// from it exactly what it is told to.
//
// There are two packet filters in a Linux kernel, and a host may have rules in
// both: nf_tables (nft, and every iptables of the last years) and the legacy
// iptables. nf_tables is read and changed over netlink, rule by handle, so that
// no expression needs to be understood and what is not deleted is not written
// again. Legacy tables are read and changed with the host's own
// iptables-legacy-save and -restore --noflush, and only if
// /proc/net/ip_tables_names names any: asking the tools would create them.
//
// Who owns what is not decided here; see package clean.
package netfilter
