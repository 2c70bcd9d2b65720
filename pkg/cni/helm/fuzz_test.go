// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"
)

// FuzzStampConfig: what has no agent stays as it is, byte for byte, and what was
// stamped is not changed by a second stamp.
func FuzzStampConfig(f *testing.F) {
	f.Add("kind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\nkind: DaemonSet\nmetadata: {name: d}\nspec: {template: {spec: {volumes: " +
		"[{name: v, configMap: {name: c}}]}}}\n")
	f.Add("kind: DaemonSet\nspec: {template: {metadata: {annotations: x}}}\n---\n")
	f.Add("--- \nkind: Other\n---\n")
	f.Add("kind: [")
	f.Fuzz(func(t *testing.T, rendered string) {
		stamped, err := stampConfig([]byte(rendered))
		if err != nil {
			return
		}
		again, err := stampConfig(stamped)
		if err != nil || string(again) != string(stamped) {
			t.Errorf("stamped twice: %q, %q, %v", stamped, again, err)
		}
		if !strings.Contains(string(stamped), configAnnotation) && !strings.Contains(rendered, "--- ") && !strings.Contains(rendered, "---\t") &&
			string(stamped) != rendered {
			t.Errorf("%q became %q", rendered, stamped)
		}
	})
}
