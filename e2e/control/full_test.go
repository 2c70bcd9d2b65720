// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import "os"

// full chooses the larger number where E2E_FULL=yes asks for all that is slow
// ("make e2e-full"); "make test" has a small one of the same kind.
func full(large, small int) int {
	if os.Getenv("E2E_FULL") == "yes" {
		return large
	}
	return small
}
