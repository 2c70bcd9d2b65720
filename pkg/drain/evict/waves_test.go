// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatLeftTogetherIsOneWave(t *testing.T) {
	at := func(seconds int) time.Time {
		if seconds < 0 {
			return time.Time{}
		}
		return time.Unix(1_000_000+int64(seconds), 0)
	}
	for _, tc := range []struct {
		name  string
		spans [][3]int // told, gone, and for how long the budget had kept some; -1 is never
		want  []float64
	}{
		{"none", nil, nil},
		{"one pod", [][3]int{{0, 5, 0}}, []float64{5}},
		{"all at once", [][3]int{{0, 5, 0}, {1, 6, 0}, {2, 4, 0}}, []float64{6}},
		{"one after the other", [][3]int{{0, 5, 0}, {7, 12, 7}, {14, 20, 14}}, []float64{7, 7, 6}},
		{"in any order", [][3]int{{14, 20, 14}, {0, 5, 0}, {7, 12, 7}}, []float64{7, 7, 6}},
		{"two and two, while the first two stop", [][3]int{{0, 30, 0}, {0, 30, 0}, {6, 36, 6}, {6, 37, 6}}, []float64{6, 31}},
		{"two and two, which were not Ready at once", [][3]int{{0, 1, 0}, {0, 1, 0}, {6, 7, 6}, {8, 9, 8}}, []float64{6, 3}},
		{"the last one hangs", [][3]int{{0, 5, 0}, {7, -1, 7}}, []float64{7}},
		{"the first one hangs and another goes", [][3]int{{0, -1, 0}, {7, 9, 7}}, []float64{7, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var spans []span
			for _, s := range tc.spans {
				spans = append(spans, span{at(s[0]), at(s[1]), time.Duration(s[2]) * time.Second})
			}
			if diff := cmp.Diff(tc.want, waves(spans)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
