// SPDX-License-Identifier: Apache-2.0

package host

// Child does the work of a disposable child process if the arguments ask for
// it, and says with which code to exit; see the package's documentation.
func Child(args []string) (handled bool, code int) { return false, 0 }
