// SPDX-License-Identifier: Apache-2.0

// Package part is what the parts of a removal have in common: what a part is (how to
// look for one sort of leftovers and how to take it away), and the host as a part sees
// it (its files, where its kubelet and runtime keep theirs, when and which cluster it
// joined, and the notes that a removal must not forget).
package part
