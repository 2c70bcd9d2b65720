// SPDX-License-Identifier: Apache-2.0

// Package catalogue holds what is particular to each pod network: a file a network,
// which reads as its specification. What installs a network and waits for it asks a
// Network; the domains that may not import this package keep what they need of each
// network by its name (docs/design.md, "Where to begin").
//
// To add one, write its file beside flannel.go and its line in Networks. What it
// has in common with others (the ranges of a cluster, and what contradicts them) is
// in ranges.go and common.go; the words of a specification are in catalogue.go and
// needs.go. It is pure: it reads facts and Nodes, and makes no request.
package catalogue
