// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"time"
)

// CountPods is "1 pod" or "3 pods".
func CountPods(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// Seconds is a duration that a result has in seconds.
func Seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
