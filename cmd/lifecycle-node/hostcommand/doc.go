// SPDX-License-Identifier: Apache-2.0

// Package hostcommand runs a command of a person's on this host, as root, in a unit that goes
// on where the connection ends.
//
//	Answer  begins the command, and waits for its outcome as long as a stream lasts
//	Work    is what the unit does: it runs the command, and leaves the outcome for Answer
//
// Order and outcome are files in a directory of /run that only root can read, since both may
// hold secrets of the person's. The directory is gone when the outcome has arrived (the asker says so), and
// ten minutes after the end of the command at the latest.
package hostcommand
