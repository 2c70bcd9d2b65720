// SPDX-License-Identifier: Apache-2.0

// Package env is what every command of the plugin is given: the streams, the
// clients, the flags that several have, and the way to the terminal.
//
//	Env              the streams and the clients; tests replace its fields
//	Say, Warn, Print, ShowPlan, Confirm   what goes to a person; filtered
//	AddOutput, AddDryRun, RunnerFlags     flags, and what their values mean
//	NothingChanged, Explain, Misused      the class and the hint of an error
//
// The exit code of an error is made in one place, by the program's run.
package env
