// SPDX-License-Identifier: Apache-2.0

//go:build e2e && !bench

package control

import "time"

// limit is how long any command or wait may take.
const limit = 8 * time.Minute
