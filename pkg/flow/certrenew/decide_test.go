// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const year = 365 * 24 * time.Hour

// planes are control planes of which the first has etcd's leader, with what their hosts say.
func planes(t *testing.T, now time.Time, names ...string) Facts {
	t.Helper()
	f := Facts{Period: year}
	var members []inventory.EtcdMember
	for i, name := range names {
		members = append(members, inventory.EtcdMember{ID: name, Name: name, Leader: i == 0})
	}
	for _, name := range names {
		node := flowtest.ControlPlane(name, "192.0.2.1", true)
		f.Nodes = append(f.Nodes, &node)
		etcd, err := json.Marshal(inventory.Etcd{Self: name, Members: members})
		if err != nil {
			t.Fatal(err)
		}
		end, long := now.Add(20*24*time.Hour), now.Add(9*year)
		f.Looks = append(f.Looks, certs.Look{Node: name, ServiceAccountKey: "k", Etcd: etcd, Rows: []certs.Row{
			{Name: "ca", Authority: true, Expires: &long, Certificate: &certs.Certificate{PublicKey: "p"}},
			{Name: "apiserver", CA: "ca", Expires: &end}, {Name: "scheduler.conf", CA: "ca", Expires: &end},
		}})
	}
	return f
}

func TestTheLeaderOfEtcdGoesLast(t *testing.T) {
	now := time.Now()
	hosts, err := planes(t, now, "cp1", "cp3", "cp2").Decide(certs.Wish{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, h := range hosts {
		order = append(order, h.Node.Name)
		if !slices.Equal(h.Names, []string{"apiserver", "scheduler.conf"}) || h.Idle() {
			t.Errorf("%+v", h)
		}
	}
	if !slices.Equal(order, []string{"cp2", "cp3", "cp1"}) {
		t.Errorf("%q", order)
	}
}

func TestARenewalThatWouldEndangerTheClusterIsRefused(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change func(f *Facts)
		says   string
	}{
		"all is well": {func(*Facts) {}, ""},
		"a control plane is away": {func(f *Facts) { f.Nodes[1].Status.Conditions[0].Status = corev1.ConditionFalse },
			"cp2 is not Ready"},
		"another key of ServiceAccounts": {func(f *Facts) { f.Looks[1].ServiceAccountKey = "x" }, "not the same on all control planes"},
		"another authority": {func(f *Facts) { f.Looks[1].Rows[0].Certificate = &certs.Certificate{PublicKey: "x"} },
			"ca: it is not the same"},
		"etcd does not answer": {func(f *Facts) { f.Looks[0].EtcdTrouble = "timeout" }, "etcd cannot be asked on cp1"},
		"a member is down": {func(f *Facts) {
			f.Looks[0].Etcd = []byte(`{"members":[{"id":"a","name":"cp2","trouble":"does not answer"}]}`)
		}, "cp2 of etcd does not answer"},
		"a learner": {func(f *Facts) { f.Looks[0].Etcd = []byte(`{"members":[{"id":"a","name":"cp2","learner":true}]}`) },
			"still learning"},
		"a member too many": {func(f *Facts) {
			f.Looks[0].Etcd = []byte(`{"members":[{"id":"a","name":"a"},{"id":"b","name":"b"},{"id":"c","name":"c"}]}`)
		}, "etcd has 3 members"},
		"the authority ends first": {func(f *Facts) { end := now.Add(30 * 24 * time.Hour); f.Looks[0].Rows[0].Expires = &end },
			"authority ca on cp1 ends on"},
	} {
		t.Run(name, func(t *testing.T) {
			f := planes(t, now, "cp1", "cp2")
			c.change(&f)
			_, err := f.Decide(certs.Wish{Now: now})
			if (err == nil) != (c.says == "") || err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
				!strings.Contains(err.Error(), c.says)) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestASecondRenewalHasNothingToDo(t *testing.T) {
	now := time.Now()
	f := planes(t, now, "cp1")
	for i := range f.Looks[0].Rows {
		end := now.Add(year - time.Hour)
		if !f.Looks[0].Rows[i].Authority {
			f.Looks[0].Rows[i].Expires = &end
		}
	}
	hosts, err := f.Decide(certs.Wish{Now: now})
	if err != nil || !hosts[0].Idle() || len(hosts[0].Left) != 2 {
		t.Errorf("%+v, %v", hosts, err)
	}
	f.Looks[0].Rows[2].Served = &certs.Served{Before: true}
	hosts, err = f.Decide(certs.Wish{Now: now})
	if err != nil || len(hosts[0].Names) > 0 || !slices.Equal(hosts[0].Restarts, []string{"scheduler.conf"}) {
		t.Errorf("what an interruption has left: %+v, %v", hosts, err)
	}
	if hosts, err = f.Decide(certs.Wish{Now: now, Force: true}); err != nil || len(hosts[0].Names) != 2 {
		t.Errorf("--force: %+v, %v", hosts, err)
	}
}

func TestWhatAHostHasDoneIsToldAsWhatItIs(t *testing.T) {
	for name, c := range map[string]struct {
		out   certs.Outcome
		class plan.Class
		says  string
	}{
		"all of it":      {certs.Outcome{Changed: true}, 0, ""},
		"nothing":        {certs.Outcome{Error: "no room"}, plan.Refused, "the host of cp1: no room"},
		"and taken back": {certs.Outcome{Error: "bad", Changed: true, Restored: true}, plan.Broken, "the earlier certificates are in place"},
		"and left so":    {certs.Outcome{Error: "bad", Changed: true}, plan.Broken, "bad"},
	} {
		err := failure(c.out, "cp1")
		if plan.ClassOf(err) != c.class || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesThatKubeadmKnows(t *testing.T) {
	for args, want := range map[string]int{"all": 0, "apiserver": 1, "apiserver etcd-peer": 2} {
		if got, err := Names(strings.Fields(args)); err != nil || len(got) != want {
			t.Errorf("%s: %q, %v", args, got, err)
		}
	}
	for args, want := range map[string]string{"all apiserver": "cannot be combined with other names",
		"apiserver all": "cannot be combined with other names",
		"ca":            "ca is not a certificate", "--help": "is not a certificate", "../x": "is not a certificate"} {
		if _, err := Names(strings.Fields(args)); plan.ClassOf(err) != plan.Misused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestAHostThatIsNotSettledIsRefused(t *testing.T) {
	now := time.Now()
	stale := &certs.Served{Before: true}
	for name, c := range map[string]struct {
		change  func(look *certs.Look)
		refused string
	}{
		"a renewal is at work there": {func(l *certs.Look) { l.Renewing, l.Unfinished = true, true },
			"are being renewed on the host of cp2 already"},
		"its API server is not ready": {func(l *certs.Look) { l.APITrouble = "it answers 500" }, "cp2: it answers 500"},
		"its API server is not ready, and uses an earlier certificate": {func(l *certs.Look) {
			l.APITrouble, l.Rows[1].Served = "its certificate has expired", stale
		}, ""},
		"a renewal was interrupted there": {func(l *certs.Look) { l.APITrouble, l.Unfinished = "no answer", true }, ""},
		"the key of its authority is another one": {func(l *certs.Look) { l.Rows[0].Faults = []string{"its key does not match it"} },
			"authority ca on cp2: its key does not match it"},
	} {
		t.Run(name, func(t *testing.T) {
			f := planes(t, now, "cp1", "cp2")
			c.change(&f.Looks[1])
			hosts, err := f.Decide(certs.Wish{Now: now})
			if (err != nil) != (c.refused != "") || err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
				!strings.Contains(err.Error(), c.refused)) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			if err == nil && f.Looks[1].Unfinished && (!hosts[0].Unfinished || hosts[0].Idle()) {
				t.Errorf("%+v", hosts[0])
			}
		})
	}
}

func TestControlPlanesThatHaveChangedSinceAreRefused(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change  func(f *Facts)
		refused string
	}{
		"they are the same":    {func(*Facts) {}, ""},
		"one has joined":       {func(f *Facts) { f.Nodes = append(f.Nodes, f.Nodes[0]) }, "3 control planes, not 2"},
		"one was made again":   {func(f *Facts) { f.Nodes[1].UID = "other" }, "cp2 was replaced by another"},
		"one is not Ready now": {func(f *Facts) { f.Nodes[0].Status.Conditions[0].Status = corev1.ConditionFalse }, "cp1 is not Ready any more"},
	} {
		decided, there := planes(t, now, "cp1", "cp2"), planes(t, now, "cp1", "cp2")
		c.change(&there)
		err := same(decided.Nodes, there.Nodes)
		if (err != nil) != (c.refused != "") || err != nil && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A host that gave no answer is judged by what it is like when it has ended its work.
func TestWhatAHostWithoutAnAnswerHasDone(t *testing.T) {
	row := func(fingerprint string, served *certs.Served) certs.Look {
		return certs.Look{Rows: []certs.Row{{Name: "apiserver", Certificate: &certs.Certificate{Fingerprint: fingerprint}, Served: served}}}
	}
	h := Host{Names: []string{"apiserver"}, before: row("old", nil)}
	unfinished, sick := row("new", nil), row("new", nil)
	unfinished.Unfinished, sick.APITrouble = true, "it answers 500"
	for name, c := range map[string]struct {
		look  certs.Look
		fails string
	}{
		"all of it":              {row("new", nil), ""},
		"nothing, or taken back": {row("old", nil), "are as they were"},
		"it is not finished":     {unfinished, "neither finished nor undone"},
		"it is not used":         {row("new", &certs.Served{Before: true}), "an earlier certificate is in use: apiserver"},
		"it is not ready":        {sick, "it answers 500"},
	} {
		err := judged(h, c.look, errors.New("the stream broke off"))
		if (err != nil) != (c.fails != "") || err != nil && (plan.ClassOf(err) != plan.Broken || !strings.Contains(err.Error(), c.fails) ||
			!strings.Contains(plan.HintOf(err), "run the same command again")) {
			t.Errorf("%s: %v, hint %q", name, err, plan.HintOf(err))
		}
	}
}
