// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package report tells what a run on this host does: to the journal on its disk, and to
// the run record in the API, as far as an API server answers. What is written into the
// record is bounded, for above 1 MiB not even the phase would arrive any more.
package report
