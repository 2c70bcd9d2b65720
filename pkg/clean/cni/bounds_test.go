// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestAConfigurationWithMoreThanIsReadSaysSo(t *testing.T) {
	list := func(n int) string {
		var plugins []string
		for i := range n {
			plugins = append(plugins, fmt.Sprintf(`{"type":"mine%d"}`, i))
		}
		return `{"name":"x","plugins":[` + strings.Join(plugins, ",") + `]}`
	}
	deep := func(n int) string {
		return strings.Repeat(`{"delegate":`, n) + `{"type":"mine"}` + strings.Repeat("}", n)
	}
	for name, tc := range map[string]struct {
		raw string
		cut bool
	}{
		"as many plugins as are read":      {list(mostValues), false},
		"one more":                         {list(mostValues + 1), true},
		"the same one more":                {strings.Replace(list(mostValues+1), "mine0", "mine1", 1), false},
		"as deep as is read":               {deep(deepestConf - 1), false},
		"deeper":                           {deep(deepestConf + 1), true},
		"a name as long as is read":        {`{"type":"` + strings.Repeat("x", mostOfValue) + `"}`, false},
		"a longer one":                     {`{"type":"` + strings.Repeat("x", mostOfValue+1) + `"}`, true},
		"a network's name, longer":         {`{"name":"` + strings.Repeat("x", mostOfValue+1) + `"}`, true},
		"a long value that nobody asks of": {`{"comment":"` + strings.Repeat("x", mostOfValue+1) + `"}`, false},
	} {
		d := judgeConfs([]confFile{{path: "/etc/cni/net.d/1.conf", raw: []byte(tc.raw)}})[0]
		if said := strings.HasPrefix(d.Refers, "not looked at: "); said != tc.cut || d.Fate != inventory.Stays {
			t.Errorf("%s: got %+v", name, d.Item)
		}
	}
}
