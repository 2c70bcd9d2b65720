// SPDX-License-Identifier: Apache-2.0

// Package packages says how Kubernetes' packages come onto a host: which of them, in which
// version, from where, by which commands, and what the answers of a package manager and of
// a repository mean.
//
//	Order     what is asked for: a version, and a repository or files
//	ReadKeys  what a repository's key is, so that it can be compared with the one expected
//	Choose    picks versions out of what a repository offers (ChooseFiles: out of files)
//	Judge     refuses what a package manager would do beyond bringing new packages
//	Explain   turns what a package manager said into a cause and a way out
//
// Nothing of what is there is replaced or removed, so that all of it can be taken back.
//
// It is pure, and compiles on all systems: the plugin checks an order before it is sent.
package packages
