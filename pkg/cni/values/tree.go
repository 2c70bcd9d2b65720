// SPDX-License-Identifier: Apache-2.0

package values

import (
	"fmt"
	"strings"
)

// At returns the value of a path, whose parts are divided by dots.
func At(tree map[string]any, path string) (any, bool) {
	for {
		part, rest, more := strings.Cut(path, ".")
		value, ok := tree[part]
		if !more || !ok {
			return value, ok
		}
		if tree, ok = value.(map[string]any); !ok {
			return nil, false
		}
		path = rest
	}
}

// Text returns the value of a path as a person would write it, a list divided by
// commas; empty if there is none.
func Text(tree map[string]any, path string) string {
	value, ok := At(tree, path)
	if !ok || value == nil {
		return ""
	}
	list, isList := value.([]any)
	if !isList {
		return fmt.Sprint(value)
	}
	words := make([]string, 0, len(list))
	for _, v := range list {
		words = append(words, fmt.Sprint(v))
	}
	return strings.Join(words, ",")
}

// Tree puts settings together to values as a chart takes them.
func Tree(settings []Setting) map[string]any {
	out := map[string]any{}
	for _, s := range settings {
		parts := strings.Split(s.Path, ".")
		value := s.Value
		for i := len(parts) - 1; i > 0; i-- {
			value = map[string]any{parts[i]: value}
		}
		out = Merge(out, map[string]any{parts[0]: value})
	}
	return out
}

// Without leaves a path out, and the trees that are empty by it.
func Without(tree map[string]any, path string) map[string]any {
	return Forget(tree, Tree([]Setting{{Path: path}}))
}
