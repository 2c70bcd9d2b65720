// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestImagesGoThroughTheMirror(t *testing.T) {
	for name, c := range map[string]struct{ rules, ref, want string }{
		"another host": {"quay.io=m.example.com", "quay.io/cilium/cilium:v1", "m.example.com/cilium/cilium:v1"},
		"below a path": {"quay.io=m.example.com:5000/q/io", "quay.io/cilium/cilium@sha256:00",
			"m.example.com:5000/q/io/cilium/cilium@sha256:00"},
		"all others":                       {"quay.io=a.io,*=b.io", "ghcr.io/x/y:1", "b.io/x/y:1"},
		"the rule of its own is first":     {"*=b.io,quay.io=a.io", "quay.io/x/y:1", "a.io/x/y:1"},
		"Docker's, by its short name":      {"docker.io=m.io", "antrea/antrea-agent:v2", "m.io/antrea/antrea-agent:v2"},
		"Docker's own, by its short name":  {"docker.io=m.io", "busybox:1.37", "m.io/library/busybox:1.37"},
		"Docker's, by an old name":         {"index.docker.io=m.io", "registry-1.docker.io/a/b", "m.io/a/b"},
		"no rule for it":                   {"quay.io=m.io", "ghcr.io/x/y:1", "ghcr.io/x/y:1"},
		"what is there already":            {"*=m.io/p", "m.io/p/x/y:1", "m.io/p/x/y:1"},
		"a registry alone":                 {"quay.io=m.io/p", "quay.io", "m.io/p"},
		"the beginning of names":           {"docker.io=m.io", "docker.io/kubeovn", "m.io/kubeovn"},
		"localhost is a registry":          {"*=m.io", "localhost/x:1", "m.io/x:1"},
		"a host of digits with a port too": {"10.0.0.1:5000=m.io", "10.0.0.1:5000/x:1", "m.io/x:1"},
		"nothing is sent elsewhere":        {"", "quay.io/x:1", "quay.io/x:1"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse([]string{c.rules})
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Image(c.ref); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if again := m.Image(m.Image(c.ref)); again != c.want {
				t.Errorf("twice it is %s", again)
			}
			if m.Outside(c.want) != (c.ref == c.want && !strings.HasPrefix(c.ref, "m.io")) {
				t.Errorf("outside: %v", m.Outside(c.want))
			}
		})
	}
}

func TestChartsGoThroughTheMirrorFromRegistriesAlone(t *testing.T) {
	m, err := Parse([]string{"quay.io=m.io/p"})
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"oci://quay.io/cilium/charts/cilium": "oci://m.io/p/cilium/charts/cilium",
		"https://quay.io/charts":             "https://quay.io/charts", "./cilium": "./cilium", "oci://ghcr.io/x": "oci://ghcr.io/x",
	} {
		if got := m.Chart(ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}

func TestAMirrorThatMakesNoSenseIsMisused(t *testing.T) {
	for name, c := range map[string]struct{ rules, says string }{
		"no host":         {"quay.io", "has no ="},
		"a URL":           {"quay.io=https://m.io", "leave https:// out"},
		"a word":          {"quay.io=mirror", "is not a registry host"},
		"no registry":     {"qu ay=m.io", "is not a registry"},
		"a path upwards":  {"quay.io=m.io/../x", "is not a path of a registry"},
		"twice":           {"quay.io=a.io,quay.io=b.io", "two mirrors for quay.io"},
		"two by one name": {"docker.io=a.io,index.docker.io=b.io", "two mirrors for docker.io"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]string{c.rules})
			if plan.ClassOf(err) != plan.Misused || !strings.Contains(err.Error(), c.says) || plan.HintOf(err) == "" {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// FuzzMirror: whatever is given, what goes through a mirror once stays there.
func FuzzMirror(f *testing.F) {
	f.Add("quay.io=m.io/p,*=n.io", "quay.io/x/y:1@sha256:00")
	f.Add("docker.io=[::1]:5000", "busybox")
	f.Fuzz(func(t *testing.T, rules, ref string) {
		m, err := Parse([]string{rules})
		if err != nil {
			return
		}
		once := m.Image(ref)
		if again := m.Image(once); once != ref && again != once {
			t.Errorf("%q: %q, then %q", ref, once, again)
		}
	})
}
