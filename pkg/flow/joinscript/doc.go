// SPDX-License-Identifier: Apache-2.0

// Package joinscript makes a script that prepares a host and joins it, for hosts that
// nothing reaches before they have booted: join -o script, join -o cloud-init. The script
// is join.sh, with what is known of the cluster put in; it is of POSIX's shell, and needs
// no program of ours on the host. Its checks have the identifiers of pkg/prep; it makes
// fewer of them, and keeps no ledger.
package joinscript
