// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

type thing struct {
	Zone  string `json:"zone"`
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

func TestAResultHasItsKindAndItsFieldsInTheirOrder(t *testing.T) {
	one := thing{"z<1>", "a", 2_592_000_000}
	var none []thing
	for name, c := range map[string]struct {
		format string
		result any
		want   string
	}{
		"one": {"json", Of("Thing", one),
			"{\n    \"apiVersion\": \"lifecycle.kubectl.dev/v1alpha1\",\n    \"kind\": \"Thing\",\n    \"zone\": \"z<1>\",\n    \"name\": \"a\",\n"},
		"several": {"json", Of("Thing", []thing{one}), "\"kind\": \"ThingList\",\n    \"items\": [\n"},
		"none":    {"json", Of("Thing", none), "\"kind\": \"ThingList\",\n    \"items\": []\n"},
		"one that is empty": {"json", Of("Thing", struct{}{}),
			"{\n    \"apiVersion\": \"lifecycle.kubectl.dev/v1alpha1\",\n    \"kind\": \"Thing\"\n}\n"},
		"yaml": {"yaml", Of("Thing", one), "apiVersion: lifecycle.kubectl.dev/v1alpha1\ncount: 2592000000\nkind: Thing\n"},
		"kyaml": {"kyaml", Of("Thing", one),
			"---\n{\n  apiVersion: \"lifecycle.kubectl.dev/v1alpha1\",\n  kind: \"Thing\",\n  zone: \"z<1>\",\n"},
		"a path into a list": {"jsonpath={.items[0].name} {.items[*].count}", Of("Thing", []thing{one}), "a 2592000000\n"},
		"a template":         {"go-template={{range .items}}{{.name}}:{{end}}", Of("Thing", []thing{one, {Name: "b"}}), "a:b:"},
		"columns of several": {"custom-columns=NAME:.name,N:.count", Of("Thing", []thing{one, {Name: "b"}}),
			"NAME   N\na      2592000000\nb      0\n"},
		"columns of one":        {"custom-columns=NAME:.name", Of("Thing", one), "NAME\na\n"},
		"columns of none":       {"custom-columns=NAME:.name", Of("Thing", none), "NAME\n"},
		"a column that is none": {"custom-columns=X:.nothing", Of("Thing", one), "X\n<none>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := CheckFormat(c.format); err != nil {
				t.Fatal(err)
			}
			out, err := Encode(c.format, c.result, false)
			if err != nil || !strings.Contains(string(out), c.want) || strings.HasPrefix(c.format, "custom") && string(out) != c.want {
				t.Errorf("%q, %v; want %q", out, err, c.want)
			}
		})
	}
}

// Three formats are the same object, whatever stands in it: also what a reader of YAML
// would take for something else.
func TestEveryFormatHoldsTheSame(t *testing.T) {
	for _, word := range []string{"no", "1e3", "0x1f", " a", "a: b", "\x1b[2J\a", "a\nb\n", "\u202e", "😀",
		"\u2028", "'\"", "#", "\u0085", "\ufeff"} {
		want, err := json.Marshal(map[string]string{"apiVersion": APIVersion, "kind": "Thing", "name": word})
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []string{"json", "yaml", "kyaml"} {
			out, err := Encode(format, Of("Thing", map[string]string{"name": word}), false)
			if err != nil {
				t.Errorf("%s of %q: %v", format, word, err)
				continue
			}
			back, err := yaml.YAMLToJSON(out)
			if err != nil || string(back) != string(want) {
				t.Errorf("%s of %q comes back as %s, %v", format, word, back, err)
			}
		}
	}
}

// On a terminal a text of several lines is one line; a backslash before an n is no break.
func TestOnATerminalNoValueBeginsALine(t *testing.T) {
	for _, format := range []string{"yaml", "kyaml"} {
		out, err := Encode(format, Of("Thing", map[string]string{"name": "a\n✓ FORGED\nb", "path": `c:\new`}), true)
		if err != nil || !strings.Contains(string(out), "a ✓ FORGED b") || !strings.Contains(string(out), "new") ||
			strings.Contains(string(out), " ew") {
			t.Errorf("%s: %s, %v", format, out, err)
		}
	}
}

// A template that fails has no result: the library's printer writes the whole object to
// its output, for a person who looks for the mistake.
func TestATemplateThatFailsWritesNothing(t *testing.T) {
	for _, format := range []string{"go-template={{index .name 3 4}}", "jsonpath={.name[5].x}", "go-template={{",
		"custom-columns=", "custom-columns=x", "jsonpath={"} {
		out, err := Encode(format, Of("Thing", thing{Name: "secret"}), false)
		if err == nil || len(out) > 0 || plan.ClassOf(err) != plan.Misused || plan.HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", format, out, err)
		}
	}
	if err := CheckFormat("custom-columns"); plan.ClassOf(err) != plan.Misused {
		t.Errorf("columns without any: %v", err)
	}
}
