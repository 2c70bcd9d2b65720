// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/doctor"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The exit code, what is said, and the result are of one report: also where a part could
// not be read, which is never called well.
func TestAReportIsToldWithItsExitCode(t *testing.T) {
	silent := finding.Finding{ID: "NODE001", Severity: finding.Error, What: "node w is silent", Evidence: "Ready is Unknown", Cure: "look"}
	note := finding.Finding{ID: "NODE005", Severity: finding.Note, What: "cordoned", Evidence: "spec", Cure: "uncordon"}
	for name, c := range map[string]struct {
		report doctor.Report
		output string
		class  plan.Class
		says   []string
	}{
		"all is well": {doctor.Report{Healthy: true, Parts: []doctor.Part{{Name: "nodes", Read: true}}}, "", 0, []string{"nodes   ok"}},
		"a note is no reason to look": {
			doctor.Report{Healthy: true, Findings: []finding.Finding{note}}, "", 0,
			[]string{"NODE005 note: cordoned"}},
		"a fault": {
			doctor.Report{Parts: []doctor.Part{{Name: "nodes", Read: true, Findings: 1}},
				Findings: []finding.Finding{silent, note}}, "",
			plan.Found, []string{"nodes   1 finding", "NODE001 error: node w is silent", "evidence: Ready is Unknown", "fix: look"}},
		"by name": {
			doctor.Report{Findings: []finding.Finding{silent, note}}, "name", plan.Found, []string{"finding/NODE001\nfinding/NODE005\n"}},
		"for a machine": {doctor.Report{Findings: []finding.Finding{silent}}, "json", plan.Found,
			[]string{`"kind": "Checkup"`, `"healthy": false`, `"id": "NODE001"`}},
		"a part was not read": {
			doctor.Report{Parts: []doctor.Part{{Name: "runs", Why: "forbidden"}}}, "", plan.Found,
			[]string{"runs   not read: forbidden"}},
		"what is not seen, wide": {
			doctor.Report{Healthy: true, Parts: []doctor.Part{{Name: "certificates", Read: true, NotSeen: []string{"x: y"}}}},
			"wide", 0, []string{"ok (1 not seen)", "NOT SEEN", "certificates: x: y"}},
	} {
		t.Run(name, func(t *testing.T) {
			streams, _, out, _ := genericiooptions.NewTestIOStreams()
			err := commands{env.New(streams, "dev")}.tell(c.output, c.report)
			if plan.ClassOf(err) != c.class && (err != nil || c.class != 0) || err != nil && plan.HintOf(err) == "" {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			for _, want := range c.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in\n%s", want, out)
				}
			}
		})
	}
}

// What a kubelet or a host wrote forges no line.
func TestNoClusterWritesALineOfOurs(t *testing.T) {
	forged := envtest.Forged
	r := doctor.Report{Parts: []doctor.Part{{Name: "runs", Why: forged}, {Name: "certificates", Read: true, NotSeen: []string{forged}}},
		Findings: []finding.Finding{{ID: "NODE002", Severity: finding.Error, What: forged, Evidence: forged, Cure: forged,
			Nodes: []string{forged}}}}
	for _, output := range []string{"", "wide", "json", "yaml", "kyaml", "jsonpath={.findings}", "go-template={{.findings}}",
		"custom-columns=A:.findings[*].what"} {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		e := env.New(streams, "dev")
		e.Terminal = func(any) bool { return true }
		err := commands{e}.tell(output, r)
		if plan.ClassOf(err) != plan.Found {
			t.Errorf("%q: %v", output, err)
		}
		envtest.Harmless(t, output, out.String()+errOut.String())
	}
}

func TestExplainTellsOneOrAll(t *testing.T) {
	for name, c := range map[string]struct {
		args         []string
		output, want string
	}{
		"all":           {nil, "", "API001"},
		"all, by name":  {nil, "name", "finding/CNI001\n"},
		"one":           {[]string{"node001"}, "", "How to fix it"},
		"one, by name":  {[]string{"node001"}, "name", "finding/NODE001\n"},
		"the network's": {[]string{"CNI006"}, "json", `"id": "CNI006"`},
	} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		if err := (commands{env.New(streams, "dev")}).explain(c.args, c.output); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
