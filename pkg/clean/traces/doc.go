// SPDX-License-Identifier: Apache-2.0

// Package traces asks what on a host still refers to the cluster: volumes of pods,
// addresses that the cluster announced, files with its certificate authority, its
// endpoint or a token of its ServiceAccounts. It only reads, within bounds, and removes
// nothing: what it finds is not provably ours, is named, and keeps a verdict from
// being clean.
package traces
