// SPDX-License-Identifier: Apache-2.0

// Package finding knows what goes wrong with pod networks: each pitfall has an id
// that stays (CNI001), a check that finds it in what was read (pure), and an
// explanation for a person who has it.
//
//	All      what is wrong, or may be, with a network that is there, or to be installed
//	Map      all ranges of addresses, and which of them overlap
//	Explain  what a pitfall is: its cause, how to see it, the cure, the sources
//
// It reads nothing itself. What only a host can tell is found where hosts were
// looked at, and left out elsewhere.
package finding
