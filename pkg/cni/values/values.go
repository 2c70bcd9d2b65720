// SPDX-License-Identifier: Apache-2.0

package values

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Setting is one value of a chart and why it is what it is.
type Setting struct {
	// Path is the value's name, with dots: "flannel.backend".
	Path string `json:"path"`
	// Value is fit for showing: that of a key, a password or a token is not in
	// it.
	Value any `json:"value"`
	// Reason says where it comes from.
	Reason string `json:"reason"`
}

// Merge lays over on under and returns a new tree.
func Merge(under, over map[string]any) map[string]any {
	out := make(map[string]any, len(under)+len(over))
	for k, v := range under {
		out[k] = v
	}
	for k, v := range over {
		a, isTree := out[k].(map[string]any)
		b, alsoTree := v.(map[string]any)
		if isTree && alsoTree {
			v = Merge(a, b)
		}
		out[k] = v
	}
	return out
}

// Forget leaves out of kept what is null in said, and the trees that are empty
// by it.
func Forget(kept, said map[string]any) map[string]any {
	out := Clone(kept)
	for k, v := range said {
		tree, isTree := v.(map[string]any)
		was, wasTree := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isTree && wasTree:
			if rest := Forget(was, tree); len(rest) > 0 {
				out[k] = rest
			} else {
				delete(out, k)
			}
		}
	}
	return out
}

// Clone copies a tree of values, for those who write into what they are given.
func Clone(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for k, v := range values {
		if tree, ok := v.(map[string]any); ok {
			v = Clone(tree)
		}
		out[k] = v
	}
	return out
}

// Leaves flattens a tree of values: path to value. Lists and empty trees are
// leaves.
func Leaves(values map[string]any) map[string]any {
	out := map[string]any{}
	var walk func(prefix string, tree map[string]any)
	walk = func(prefix string, tree map[string]any) {
		for key, v := range tree {
			path := prefix + strings.ReplaceAll(key, ".", `\.`)
			if sub, ok := v.(map[string]any); ok && len(sub) > 0 {
				walk(path+".", sub)
				continue
			}
			out[path] = v
		}
	}
	walk("", values)
	return out
}

// Show lists the leaves of a tree of values, sorted by path; reason gives
// each its reason.
func Show(values map[string]any, reason func(path string) string) []Setting {
	out := []Setting{}
	for path, v := range Leaves(values) {
		if secretive(path) && v != nil && v != "" {
			v = "(not shown)"
		}
		out = append(out, Setting{Path: path, Value: v, Reason: reason(path)})
	}
	slices.SortFunc(out, func(a, b Setting) int { return strings.Compare(a.Path, b.Path) })
	return out
}

// secretive tells by its name that a value is secret.
func secretive(path string) bool {
	key := strings.ToLower(path)
	return slices.ContainsFunc([]string{"psk", "password", "token", "secret", "privatekey"}, func(word string) bool {
		return strings.HasSuffix(key, word)
	})
}

// Equal compares two trees of values as JSON, for that is how a release
// keeps them: numbers have no Go type there, and nil is an empty tree.
func Equal(a, b map[string]any) bool {
	x, errX := json.Marshal(orEmpty(a))
	y, errY := json.Marshal(orEmpty(b))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func orEmpty(values map[string]any) map[string]any {
	if values == nil {
		return map[string]any{}
	}
	return values
}

// Changed names the values that differ between two trees, sorted.
func Changed(before, after map[string]any) []string {
	was, is := Leaves(before), Leaves(after)
	differ := map[string]bool{}
	for path, v := range is {
		old, had := was[path]
		differ[path] = !had || !Equal(map[string]any{"": old}, map[string]any{"": v})
	}
	for path := range was {
		if _, has := is[path]; !has {
			differ[path] = true
		}
	}
	var paths []string
	for path, yes := range differ {
		if yes {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}
