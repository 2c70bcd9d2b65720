// SPDX-License-Identifier: Apache-2.0

package hosttest

import "testing"

func TestOneTestIsRunAndNoneThatBeginsAsIt(t *testing.T) {
	if got := exactly("TestA/of_b.c/d"); got != `^TestA$/^of_b\.c$/^d$` {
		t.Errorf("%s", got)
	}
}
