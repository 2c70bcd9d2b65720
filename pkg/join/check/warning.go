// SPDX-License-Identifier: Apache-2.0

package check

// Warning is something that does not stop us but may stop a host.
type Warning struct {
	Text string `json:"text"`
	// Hint is the way out: a command, or what to look at.
	Hint string `json:"hint,omitempty"`
	// Certain says that no host can join while this is so: it was seen, and not
	// only likely.
	Certain bool `json:"certain,omitempty"`
}
