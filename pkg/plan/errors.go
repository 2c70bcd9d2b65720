// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	if class := declared(err); class != 0 {
		return class
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Broken
}

// declared is the outermost class that was given to an error; 0 if none was.
func declared(err error) Class {
	for err != nil {
		var c *classified
		if !errors.As(err, &c) {
			return 0
		}
		if c.class != 0 {
			return c.class
		}
		err = c.err
	}
	return 0
}

// stopped is the error of a step that its context has ended.
type stopped struct {
	text  string
	cause error
}

func (s *stopped) Error() string { return s.text }
func (s *stopped) Unwrap() error { return s.cause }

// Stopped makes an error that came because ctx has ended say that, instead of what was
// under way at that moment, whose hint would lead astray (a port that is not open, an
// API server that is not reached). It is of class Interrupted or TimedOut. An error
// that was given one of these classes says it already and is returned as it is, as is
// one that has another cause, and every error while ctx has not ended.
func Stopped(ctx context.Context, err error) error {
	end := ctx.Err()
	if err == nil || end == nil {
		return err
	}
	if class := declared(err); class == TimedOut || class == Interrupted {
		return err
	}
	// Streams and watches lose the type of the error on their way, not its words.
	if !errors.Is(err, end) && !errors.Is(err, context.Cause(ctx)) && !strings.Contains(err.Error(), end.Error()) {
		return err
	}
	if errors.Is(end, context.DeadlineExceeded) {
		return As(TimedOut, Hint(&stopped{"timed out", end},
			"run the same command again to go on from there, with a longer --timeout if it takes that long"))
	}
	return As(Interrupted, Hint(&stopped{"interrupted", end}, "run the same command again to go on from there"))
}
