// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"errors"
	"fmt"
)

// Class says how far things had gone when an error came up. The command's exit
// code is the class of its error.
type Class int

// The classes, with the exit code each one is.
const (
	// Broken: failed after changes began; running again is safe.
	Broken Class = 1
	// Misused: the command line is wrong.
	Misused Class = 2
	// Found: a check found something; nothing was to be changed, or everything is
	// done.
	Found Class = 3
	// Refused: not done, nothing changed.
	Refused Class = 4
	// TimedOut: gave up waiting; running again goes on waiting.
	TimedOut Class = 5
	// Interrupted: the person pressed Ctrl-C.
	Interrupted Class = 130
)

// classified is an error with a class, a way out, or both.
type classified struct {
	err   error
	class Class
	hint  string
}

func (c *classified) Error() string { return c.err.Error() }
func (c *classified) Unwrap() error { return c.err }

// Hint adds the way out to an error: the command or flag that unblocks. It
// returns nil for a nil error. The outermost hint is the one that is shown.
func Hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &classified{err: err, hint: fmt.Sprintf(format, args...)}
}

// As gives an error a class; it returns nil for a nil error. The outermost
// class counts.
func As(class Class, err error) error {
	if err == nil {
		return nil
	}
	return &classified{err: err, class: class}
}

// Refuse makes the error of something that was not begun: class Refused with a
// way out.
func Refuse(err error, hint string, args ...any) error {
	return As(Refused, Hint(err, hint, args...))
}

// Begun is the error of something that was refused after changes had begun: class
// Broken instead of Refused, because something has changed. An error of the time or
// of the person stays one. It returns nil for a nil error.
func Begun(err error) error {
	if class := ClassOf(err); class == TimedOut || class == Interrupted {
		return err
	}
	return As(Broken, err)
}

// HintOf returns the outermost hint of an error; empty if there is none.
func HintOf(err error) string {
	for err != nil {
		var c *classified
		if !errors.As(err, &c) {
			return ""
		}
		if c.hint != "" {
			return c.hint
		}
		err = c.err
	}
	return ""
}

// ClassOf returns the outermost class of an error. An error without one is
// Interrupted or TimedOut if a context says so, else Broken; nil gives 0.
func ClassOf(err error) Class {
	if err == nil {
		return 0
	}
	for walk := err; walk != nil; {
		var c *classified
		if !errors.As(walk, &c) {
			break
		}
		if c.class != 0 {
			return c.class
		}
		walk = c.err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Broken
}
