// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

func TestWrongHostsAreErrorsOfUsage(t *testing.T) {
	for name, c := range map[string]struct {
		flags prepFlags
		text  string
	}{
		"no host":                  {prepFlags{maxParallel: 1}, "no host is named"},
		"a host twice":             {prepFlags{ssh: []string{"h1", "h1"}, maxParallel: 1}, "twice"},
		"one name for two hosts":   {prepFlags{ssh: []string{"h1", "h2"}, hostname: "w1", maxParallel: 1}, "one host"},
		"an option of ssh":         {prepFlags{ssh: []string{"-oProxyCommand=x"}, maxParallel: 1}, "not a destination"},
		"no host at the same time": {prepFlags{ssh: []string{"h1"}}, "--max-parallel"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.flags.hosts()
			if plan.ClassOf(err) != plan.Misused || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAnOrderIsReadAloneUnlessToldToChange(t *testing.T) {
	f := prepFlags{ssh: []string{"h1"}, timeZone: "Asia/Shanghai", controlPlane: true}
	order, err := f.order(prep.Wanted{Kubernetes: "v1.36.3"})
	if err != nil || order.Apply || order.Undo || order.Wanted.Role != prep.ControlPlane || order.Wanted.TimeZone != "Asia/Shanghai" {
		t.Errorf("%+v, %v", order, err)
	}
	for _, bad := range []prepFlags{{timeZone: "../etc/passwd"}, {hostname: "A_b"}, {timeZone: "$(x)"}} {
		if _, err := bad.order(prep.Wanted{}); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
