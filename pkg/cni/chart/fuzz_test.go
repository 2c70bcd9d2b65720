// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"strings"
	"testing"
	"unicode"

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
			if hint := plan.HintOf(err); hint == "" || len(hint) > 32<<10 ||
				strings.IndexFunc(hint, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("the hint is %q", hint)
			}
			return
		}
		for _, e := range ix.Entries["flannel"] {
			if SameVersion(e.Version, version) && len(e.URLs) > 0 && e.URLs[0] == archive && e.Digest == digest {
				return
			}
		}
		t.Errorf("%q (%q) is no entry of version %q", archive, digest, version)
	})
}
