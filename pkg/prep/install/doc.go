// SPDX-License-Identifier: Apache-2.0

// Package install brings packages onto this host, as package packages has decided.
//
//	Stage    a directory in which all is brought together and rehearsed, before anything
//	         is changed: the repository's key and index, files, and what is downloaded
//	Plan     reads, asks and rehearses; it refuses what cannot be done
//	Install, Remove, Hold, Release   change the host
//
// The host's own lists, sources and archives are read and not written. Waiting for another
// program that uses the package manager has an end.
//
// All of it is for Linux.
package install
