// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"
	"testing"
)

func TestALookReadsOnceAndAStepThatChangesTheHostEachTime(t *testing.T) {
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		memory *Memory
		fails  error
		want   int
	}{
		"a look":                          {&Memory{}, nil, 1},
		"a look that cannot read it":      {&Memory{}, broken, 1},
		"a step":                          {nil, nil, 3},
		"a step that cannot read it once": {nil, broken, 3},
	} {
		t.Run(name, func(t *testing.T) {
			h, reads := Host{Memory: tc.memory}, 0
			for range 3 {
				got, err := Once(h, "outer", func() (int, error) {
					reads++
					return Once(h, "inner", func() (int, error) { return 7, tc.fails }) // what is read may need what is read
				})
				if got != 7 || !errors.Is(err, tc.fails) {
					t.Errorf("got %d, %v", got, err)
				}
			}
			if reads != tc.want {
				t.Errorf("it was read %d times, want %d", reads, tc.want)
			}
		})
	}
}
