// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/servingcerts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestNoCertificateWritesALineOfOurs(t *testing.T) {
	ends := time.Now().Add(time.Hour)
	c := certs.Certificate{Subject: envtest.Forged, Issuer: envtest.Forged, Serial: envtest.Forged, Key: envtest.Forged,
		Names: []string{envtest.Forged}}
	result := certs.Result{
		Rows: []certs.Row{{Node: envtest.Forged, Name: envtest.Forged, Where: envtest.Forged, CA: envtest.Forged, ManagedBy: envtest.Forged,
			Certificate: &c, Expires: &ends, CannotRead: envtest.Forged, Faults: []string{envtest.Forged}, Notes: []string{envtest.Forged},
			Request: certs.Pending}},
		Unseen: []certs.Unseen{{What: envtest.Forged, Why: envtest.Forged}},
	}
	certs.Judge(result.Rows, time.Now(), certs.Limits{})
	for _, output := range []string{"", "wide", "json", "yaml", "prom"} {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		e := env.New(streams, "dev")
		e.Terminal = func(any) bool { return true }
		if err := (commands{e}).tell(output, result); err != nil {
			t.Fatal(err)
		}
		e.TellError(toDo(result))
		all := []servingcerts.Request{{Name: envtest.Forged, Node: envtest.Forged, Names: []string{envtest.Forged}, Why: envtest.Forged}}
		if err := e.Print("", all, func(s *view.Sheet) error { return view.Requests(s, all) }); err != nil {
			t.Fatal(err)
		}
		envtest.Harmless(t, "certificates in "+strings.ToUpper(output), out.String()+errOut.String())
	}
}

func TestTheExitCodeOfACheck(t *testing.T) {
	long := time.Now().Add(1000 * time.Hour)
	for name, c := range map[string]struct {
		rows   []certs.Row
		unseen []certs.Unseen
		want   plan.Class
	}{
		"nothing is to be done":                 {[]certs.Row{{Name: "a", Expires: &long}}, nil, 0},
		"one is pending":                        {[]certs.Row{{Name: "a", Expires: &long}, {Name: "b", Request: certs.Pending}}, nil, plan.Found},
		"one need not be there":                 {[]certs.Row{{Name: "a", IsMissing: true, Optional: true}}, nil, 0},
		"something was not seen":                {nil, []certs.Unseen{{What: "a"}}, 0},
		"something that was asked for, neither": {nil, []certs.Unseen{{What: "a", Asked: true}}, plan.Found},
	} {
		t.Run(name, func(t *testing.T) {
			certs.Judge(c.rows, time.Now(), certs.Limits{})
			if err := toDo(certs.Result{Rows: c.rows, Unseen: c.unseen}); plan.ClassOf(err) != c.want || c.want != 0 && plan.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestALifetimeInDays(t *testing.T) {
	for value, want := range map[string]string{"30d": "30d", "0d": "0d", "12h": "12h0m0s", "48h": "2d", "-1h": "", "x": "", "1.5d": "",
		"99999999d": ""} {
		var l lifetime
		if err := l.Set(value); (err == nil) != (want != "") || err == nil && l.String() != want {
			t.Errorf("%s: %s, %v", value, l.String(), err)
		}
	}
}
