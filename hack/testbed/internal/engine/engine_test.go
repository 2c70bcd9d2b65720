// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestBoundingSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status string
		lacks  bool
		ok     bool
	}{
		{"Name:\tsh\nCapBnd:\t000001ffffffffff\n", false, true},
		{"CapEff:\t000001ffffffffff\nCapBnd:\t000001fffeffffff\n", true, true},
		{"Name:\tsh\n", false, false},
		{"CapBnd:\tnonsense\n", false, false},
	}
	for _, tt := range tests {
		set, err := boundingSet(tt.status)
		if (err == nil) != tt.ok {
			t.Errorf("boundingSet(%q): %v, want ok %v", tt.status, err, tt.ok)
			continue
		}
		if lacks := set&(1<<capSysResource) == 0; tt.ok && lacks != tt.lacks {
			t.Errorf("boundingSet(%q) lacks the capability: %v, want %v", tt.status, lacks, tt.lacks)
		}
	}
}

func TestPlanDaemon(t *testing.T) {
	t.Parallel()
	byFlags := []string{"--add-runtime", "testbed=/c/rt", "--default-runtime", "testbed"}
	byFile := []string{"--config-file", "/c/merged.json"}
	tests := []struct {
		name, config, wrapper string
		flags                 []string
		merged                map[string]any
		ok                    bool
	}{
		{name: "nothing needed", config: `{"runtimes":{}}`, ok: true},
		{name: "no file", wrapper: "/c/rt", flags: byFlags, ok: true},
		{name: "unrelated file", config: `{"mtu":1400}`, wrapper: "/c/rt", flags: byFlags, ok: true},
		{
			name: "file with a default runtime", config: `{"mtu":1400,"default-runtime":"crun"}`, wrapper: "/c/rt",
			flags: byFile, ok: true,
			merged: map[string]any{"mtu": 1400.0, "default-runtime": "testbed"},
		},
		{
			name: "file with runtimes", config: `{"runtimes":{"nvidia":{"path":"/n"}}}`, wrapper: "/c/rt",
			flags: byFile, ok: true,
			merged: map[string]any{"default-runtime": "testbed"},
		},
		{name: "broken file", config: `{`, wrapper: "/c/rt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan, err := planDaemon([]byte(tt.config), tt.wrapper, "/c/merged.json")
			if (err == nil) != tt.ok {
				t.Fatalf("err = %v, want ok %v", err, tt.ok)
			}
			if !slices.Equal(plan.Flags, tt.flags) {
				t.Errorf("flags = %v, want %v", plan.Flags, tt.flags)
			}
			if (plan.Config != nil) != (tt.merged != nil) {
				t.Fatalf("config = %s", plan.Config)
			}
			if tt.merged == nil {
				return
			}
			var got map[string]any
			if err := json.Unmarshal(plan.Config, &got); err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.merged {
				if got[key] != want {
					t.Errorf("%s = %v, want %v", key, got[key], want)
				}
			}
			runtimes, _ := got["runtimes"].(map[string]any)
			if runtimes["testbed"] == nil {
				t.Errorf("runtimes = %v, lacks the wrapper", runtimes)
			}
			if tt.name == "file with runtimes" && runtimes["nvidia"] == nil {
				t.Errorf("runtimes = %v, lost the user's", runtimes)
			}
		})
	}
}
