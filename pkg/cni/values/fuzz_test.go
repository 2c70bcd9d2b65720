// SPDX-License-Identifier: Apache-2.0

package values

import (
	"testing"

	"sigs.k8s.io/yaml"
)

// FuzzValues: laying values over others keeps both trees as they were, says what
// lies on top, and shows no secret.
func FuzzValues(f *testing.F) {
	f.Add("a: {b: 1, password: hush}", "a: {b: null, c: [1]}")
	f.Add("a: 1", "a: {b: 2}")
	f.Add("a.b: 1\n\"a\\\\.b\": 2", "{}")
	f.Fuzz(func(t *testing.T, first, second string) {
		var under, over map[string]any
		if yaml.Unmarshal([]byte(first), &under) != nil || yaml.Unmarshal([]byte(second), &over) != nil {
			return
		}
		before := Clone(under)
		merged := Merge(under, over)
		if !Equal(before, under) {
			t.Error("merging has changed what was below")
		}
		if !Equal(Merge(merged, over), merged) {
			t.Errorf("%v over %v is not stable", over, under)
		}
		for path, v := range Leaves(over) {
			got, ok := Leaves(merged)[path]
			if _, tree := v.(map[string]any); !tree && (!ok || !Equal(map[string]any{"": got}, map[string]any{"": v})) {
				t.Errorf("%s is %v, want %v", path, got, v)
			}
		}
		Forget(under, over)
		for _, s := range Show(merged, func(string) string { return "" }) {
			if secretive(s.Path) && s.Value != nil && s.Value != "" && s.Value != "(not shown)" {
				t.Errorf("%s is shown", s.Path)
			}
		}
	})
}
