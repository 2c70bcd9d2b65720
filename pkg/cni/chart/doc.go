// SPDX-License-Identifier: Apache-2.0

// Package chart finds the archive of a chart: in a directory, in a file, at a URL,
// in a chart repository or in an OCI registry.
//
// What it promises: no way on which the chart could be replaced (https, but
// for a server on this machine), no answer without an end, and the digest that the
// repository or the person names is that of the archive. A name and password in an
// address are used where they were meant to go, and never shown.
//
// It does not unpack a chart; that is Helm's.
package chart
