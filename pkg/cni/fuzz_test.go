// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"strings"
	"testing"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// FuzzIndex: what is taken of an index is an entry of it, and what is shown of
// it is bounded and harmless.
func FuzzIndex(f *testing.F) {
	f.Add("entries:\n  flannel:\n  - {version: v1, urls: [a.tgz], digest: x}\n", "v1")
	f.Add("entries: {flannel: [{version: \"\\u001b[2J\"}]}", "v2")
	f.Add("entries: {flannel: [null, {urls: []}]}", "")
	f.Add("a: &a [x,x,x]\nb: &b [*a,*a,*a]\nentries: {flannel: [{version: v1, urls: [\"\"]}]}", "1")
	f.Fuzz(func(t *testing.T, text, version string) {
		var ix index
		if yaml.Unmarshal([]byte(text), &ix) != nil {
			return
		}
		archive, digest, err := ix.find(Source{Chart: "https://h/charts", Name: "flannel", Version: version})
		if err != nil {
			if hint := plan.HintOf(err); hint == "" || len(hint) > 32<<10 || strings.IndexFunc(hint, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("the hint is %q", hint)
			}
			return
		}
		for _, e := range ix.Entries["flannel"] {
			if sameVersion(e.Version, version) && len(e.URLs) > 0 && e.URLs[0] == archive && e.Digest == digest {
				return
			}
		}
		t.Errorf("%q (%q) is no entry of version %q", archive, digest, version)
	})
}

// FuzzStampConfig: what has no agent stays as it is, byte for byte, and what was
// stamped is not changed by a second stamp.
func FuzzStampConfig(f *testing.F) {
	f.Add("kind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\nkind: DaemonSet\nmetadata: {name: d}\nspec: {template: {spec: {volumes: [{name: v, configMap: {name: c}}]}}}\n")
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
		if !strings.Contains(string(stamped), configAnnotation) && !strings.Contains(rendered, "--- ") && !strings.Contains(rendered, "---\t") && string(stamped) != rendered {
			t.Errorf("%q became %q", rendered, stamped)
		}
	})
}

// FuzzCIDRs: what is read is written so that it is read again as the same.
func FuzzCIDRs(f *testing.F) {
	for _, seed := range []string{"10.244.0.0/16,fd00:10:244::/56", " 10.0.0.1/8 ,", "::ffff:10.0.0.0/104", "fe80::%eth0/64", "10.0.0.0/33", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) {
		prefixes, err := parseCIDRs(words)
		if err != nil {
			return
		}
		again, err := parseCIDRs(listed(prefixes))
		if err != nil || !same(prefixes, again) || !same(again, prefixes) {
			t.Errorf("%q is %v, then %v (%v)", words, prefixes, again, err)
		}
		for _, p := range prefixes {
			if !p.IsValid() || p != p.Masked() || !contains(prefixes, p) {
				t.Errorf("%q gives %v", words, p)
			}
		}
		missingFamily(prefixes, prefixes)
	})
}

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
		before := clone(under)
		merged := merge(under, over)
		if !equalValues(before, under) {
			t.Error("merging has changed what was below")
		}
		if !equalValues(merge(merged, over), merged) {
			t.Errorf("%v over %v is not stable", over, under)
		}
		for path, v := range leaves(over) {
			got, ok := leaves(merged)[path]
			if _, tree := v.(map[string]any); !tree && (!ok || !equalValues(map[string]any{"": got}, map[string]any{"": v})) {
				t.Errorf("%s is %v, want %v", path, got, v)
			}
		}
		forget(under, over)
		for _, s := range settings(merged, func(string) string { return "" }) {
			if secretive(s.Path) && s.Value != nil && s.Value != "" && s.Value != "(not shown)" {
				t.Errorf("%s is shown", s.Path)
			}
		}
	})
}

// FuzzFlannelRecords: whatever a node says of itself, its faults are bounded and
// harmless lines.
func FuzzFlannelRecords(f *testing.F) {
	f.Add("10.0.2.15", `{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}`, "vxlan")
	f.Add("\x1b[2J", `{"PublicKey":"\u001b"}`, "\n")
	f.Add("::1%eth0", `{"VNI":"x"}`, strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, address, data, backend string) {
		change := annotated("public-ip", address, "public-ipv6", address, "backend-data", data, "backend-v6-data", data, "backend-type", backend)
		nodes := []*corev1.Node{flannelNode("a", "172.18.0.2", change), flannelNode("b", "172.18.0.3", change), flannelNode("c", "172.18.0.4", annotated("backend-type", "vxlan"))}
		r := records{nodes: nodes, pods: cidrs("10.244.0.0/16")}
		for _, g := range append(flannelFaults(r), flannelDoubts(r)...) {
			if len(g.why) > 2<<10 || strings.IndexFunc(g.why+g.hint, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("it says %q", g.why)
			}
		}
	})
}
