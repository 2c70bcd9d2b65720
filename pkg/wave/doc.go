// SPDX-License-Identifier: Apache-2.0

// Package wave takes many nodes through the same work, some of them at a time.
//
//	group 1: before ─▶ wave 1 ─▶ wave 2 ─▶ …        group 2: wave 1 ─▶ …
//	                     │
//	                     ▼
//	          stage 1 ─▶ stage 2 ─▶ stage 3
//	          (each)     (all)      (each)
//
// The nodes of a wave come through a stage together before the next one begins. One
// that fails takes part in nothing after that, and keeps no other node of its wave
// from going on; after too many of them no further wave is begun. When the context
// ends, nothing more is begun, and what is under way ends by itself.
//
// What the work is, the package does not know. It imports the standard library only.
package wave
