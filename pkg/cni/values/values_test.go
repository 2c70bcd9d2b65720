// SPDX-License-Identifier: Apache-2.0

package values

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMergeLeavesItsArgumentsAlone(t *testing.T) {
	under := map[string]any{"a": map[string]any{"x": 1, "y": 2}, "b": 1}
	over := map[string]any{"a": map[string]any{"y": 3}, "b": nil}
	got := Merge(under, over)
	want := map[string]any{"a": map[string]any{"x": 1, "y": 3}, "b": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"a": map[string]any{"x": 1, "y": 2}, "b": 1}, under); diff != "" {
		t.Error(diff)
	}
	copied := Clone(got)
	copied["a"].(map[string]any)["x"] = 9 //nolint:forcetypeassert // made above
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChangedNamesWhatDiffers(t *testing.T) {
	before := map[string]any{"same": 1.0, "gone": true, "tree": map[string]any{"x": "a", "psk": "one"}, "k.ey": "v"}
	after := map[string]any{"same": int64(1), "tree": map[string]any{"x": "b", "psk": "two"}, "k.ey": "v", "new": []any{1}}
	if diff := cmp.Diff([]string{"gone", "new", "tree.psk", "tree.x"}, Changed(before, after)); diff != "" {
		t.Error(diff)
	}
	if !Equal(nil, map[string]any{}) {
		t.Error("no values are not equal to no values")
	}
}
