// SPDX-License-Identifier: Apache-2.0

package wire

import "time"

// RunCommand runs a program of the host's as root, in a unit that goes on where the
// connection ends; no record. The question is a CommandOrder, the answer a CommandOutcome.
const RunCommand Operation = "run"

// CommandOrder is what a host is told.
type CommandOrder struct {
	// ID tells this command from all others.
	ID string `json:"id"`
	// Args are the program and its arguments, as they are: no shell reads them. Empty where
	// the command was begun before, and only its outcome is asked for.
	Args []string `json:"args,omitempty"`
	// Limit ends the command.
	Limit time.Duration `json:"limit"`
	// Forget says that the outcome has arrived: what the host keeps of the command goes.
	Forget bool `json:"forget,omitempty"`
}

// CommandOutcome is what has become of the command.
type CommandOutcome struct {
	ID string `json:"id"`
	// Running says that it has not ended: ask again. Unknown, that nothing of it is there:
	// it was not begun, it was forgotten, or the host was started again since.
	Running bool `json:"running,omitempty"`
	Unknown bool `json:"unknown,omitempty"`
	// Code is its exit code, and Signal the name of what ended it instead; empty for none.
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"`
	// TimedOut says that it was ended at its limit, Error why it could not be run at all.
	TimedOut bool   `json:"timedOut,omitempty"`
	Error    string `json:"error,omitempty"`
	// Output is what it printed on both streams, in its order. Cut is how many bytes of the
	// middle are left out.
	Output string `json:"output,omitempty"`
	Cut    int64  `json:"cut,omitempty"`
	// Took is how long it ran.
	Took time.Duration `json:"took"`
}
