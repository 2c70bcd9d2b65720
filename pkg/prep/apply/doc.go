// SPDX-License-Identifier: Apache-2.0

// Package apply makes the changes of package prep on this host, one by one, and takes
// them back.
//
// Before a change is made, what was there before is written to a ledger that only root
// can read (Dir). Undo goes through it from the end: it restores what is still as it
// was made here, and leaves and names what something else has changed since. A change
// that is asked for and already made is not made, and not in the ledger.
//
// All of it is for Linux.
package apply
