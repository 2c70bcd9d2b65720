// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"encoding/json"
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
	for _, args := range []string{"all apiserver", "ca", "--help", "../x"} {
		if _, err := Names(strings.Fields(args)); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%s: %v", args, err)
		}
	}
}
