// SPDX-License-Identifier: Apache-2.0

// Package health says whether a pod network works, and what is missing if not.
//
//	Wait   follows agents, nodes and CoreDNS until packets can flow
//	Works  is one look at the same
//	Look   says what a network that works does not reach, and what is doubtful
//
// A view is everything in which a working network shows itself, taken by watches
// or once; what is missing in it (gaps), wrong for good (faults) and doubtful is
// found by pure functions. What a network's agents write on their nodes, and what
// is wrong with that, package catalogue knows.
//
// It is told by what the API shows; packets are not sent.
package health
