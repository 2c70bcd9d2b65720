// SPDX-License-Identifier: Apache-2.0

package inventory

// Turn says that a thing goes later than its kind does. What Item.Detail and Item.Why
// say is for people: nothing is decided by it.
type Turn string

// The turns; empty for that of its kind.
const (
	// AfterOthers: last of its stage. A pod in the host's network may be the agent that
	// takes the others' networks down; a file that was put aside needs its name free.
	AfterOthers Turn = "after-others"
	// AsCredential: with the credentials, since it is the way back.
	AsCredential Turn = "as-credential"
	// AsHold: with the hold on the kubelet.
	AsHold Turn = "as-hold"
)

// Manner is how a thing goes.
type Manner string

// The manners; empty for what is deleted.
const (
	// IfEmpty: a directory that goes once nothing is in it, and stays if anything else
	// turns out to be.
	IfEmpty Manner = "if-empty"
	// IfCopy: a kubeconfig in a home, if it still is a copy of kubeadm's.
	IfCopy Manner = "if-copy"
	// PutBack: a file that a network has put aside gets its name back (Item.Original).
	PutBack Manner = "put-back"
)
