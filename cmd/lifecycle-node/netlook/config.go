// SPDX-License-Identifier: Apache-2.0

package netlook

import (
	"encoding/json"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostTypes bounds how many plugins of a configuration are named.
const mostTypes = 16

// plugin is what counts of a plugin's configuration: which program it is, and the
// one that gives out addresses for it.
type plugin struct {
	Type string `json:"type"`
	IPAM struct {
		Type string `json:"type"`
	} `json:"ipam"`
}

// parse reads a configuration: one plugin, or a list of them (CNI specification 0.1.0
// to 1.1.0).
func parse(file string, raw []byte) wire.NetConfig {
	c := wire.NetConfig{File: file}
	var list struct {
		plugin
		Name    string   `json:"name"`
		Plugins []plugin `json:"plugins"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		c.Bad = "no JSON"
		return c
	}
	c.Name = text.Short(list.Name, 80)
	for _, p := range append([]plugin{list.plugin}, list.Plugins...) {
		for _, program := range []string{p.Type, p.IPAM.Type} {
			if program != "" && len(c.Types) < mostTypes {
				c.Types = append(c.Types, text.Short(program, 80))
			}
		}
	}
	if len(c.Types) == 0 {
		c.Bad = "it calls no plugin"
	}
	return c
}
