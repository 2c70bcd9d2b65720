// SPDX-License-Identifier: Apache-2.0

// Package ownership says whose a thing is by its name: chains, tables, sets, links,
// pins, mounts, programs, files of CNI. What no pattern fits is foreign, and a name that
// only begins as a network's do is that network's with a second sign, or not at all (Names).
// It is pure.
package ownership
