// SPDX-License-Identifier: Apache-2.0

// Package netprobe is the probe that runs in a pod: it answers other probes, and does
// what it is told on its standard input, a line at a time. It has no privileges, and
// ends when its input does.
package netprobe
