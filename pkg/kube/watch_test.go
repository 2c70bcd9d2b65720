// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"
	"time"
)

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	if got := Backoff(0, time.Second, time.Minute); got != 0 {
		t.Errorf("no failure waits %s", got)
	}
	for n, want := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 7: time.Minute, 500: time.Minute} {
		if got := Backoff(n, time.Second, time.Minute); got < want*8/10 || got > want*12/10 {
			t.Errorf("failure %d waits %s, want about %s", n, got, want)
		}
	}
}
