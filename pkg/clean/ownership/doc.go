// SPDX-License-Identifier: Apache-2.0

// Package ownership says whose a thing is by its name: chains, tables, sets, links,
// pins, mounts, programs, files of CNI. What no pattern fits is foreign. It is pure.
package ownership
