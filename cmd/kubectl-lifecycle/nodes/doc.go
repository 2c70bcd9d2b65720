// SPDX-License-Identifier: Apache-2.0

// Package nodes has the commands that take nodes by name or by label: cordon,
// uncordon, drain, remove, move, inspect, run and runs; and node-program, for a host
// whose Node is gone.
//
//	cordon.go, drain.go, remove.go, move.go, inspect.go, run.go, runs.go, node_program.go   one file a command
//	draining.go       a drain under way, and what it has come to
//	remove_many.go    several nodes in one command
//	remove_lost.go    a node whose host is dead
//	rehearse.go       what a dry run of remove and move shows
//	verdict.go        what is said of a host that was cleaned, and with which exit code
//
// What a node is taken through is decided in pkg/drain and pkg/flow.
package nodes
