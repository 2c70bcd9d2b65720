// SPDX-License-Identifier: Apache-2.0

// Package reach finds out whether a path leads to a file system of another machine, by
// whatever links, without touching that file system: it may never answer, and who asks it
// then hangs for ever.
package reach
