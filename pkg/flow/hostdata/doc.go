// SPDX-License-Identifier: Apache-2.0

// Package hostdata finds what is of value on a node: volumes that only it can use,
// directories of the host, emptyDirs, and what is attached. It says of each what
// becomes of it when the node is removed.
package hostdata
