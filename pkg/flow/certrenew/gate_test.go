// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
)

func quiet(string, ...any) {}

// cutOff is a stream that broke off in the middle, refusedByHost the host's own refusal.
func cutOff() error {
	return plan.Refuse(fmt.Errorf("%w to pod x: EOF", podcarrier.ErrNoStream), "open port 10250")
}

func refusedByHost() error { return plan.Refuse(errors.New("node cp1: no room"), "make room") }

// asked is a renewal whose host says what it is given, for each question.
func asked(t *testing.T, looks func(since time.Duration) (certs.Look, error)) (*Renewal, Host) {
	t.Helper()
	f := planes(t, time.Now(), "cp1")
	begun := time.Now()
	r := &Renewal{facts: f, look: func(context.Context, *corev1.Node) (certs.Look, error) { return looks(time.Since(begun)) }}
	f.Looks[0].Rows[1].Certificate = &certs.Certificate{Fingerprint: "old"}
	return r, Host{Node: f.Nodes[0], Names: []string{"apiserver"}, before: f.Looks[0]}
}

func TestAHostIsWaitedForAsLongAsItMayBeAtWork(t *testing.T) {
	renewed := certs.Look{Rows: []certs.Row{{Name: "apiserver", Certificate: &certs.Certificate{Fingerprint: "new"}}}}
	away := func(time.Duration) (certs.Look, error) { return certs.Look{}, errors.New("no answer") }
	for name, c := range map[string]struct {
		cause error
		looks func(since time.Duration) (certs.Look, error)
		least time.Duration
		fails string
	}{
		"a stream that broke off, and a host that works for ten minutes": {cutOff(), func(since time.Duration) (certs.Look, error) {
			if since < 10*time.Minute {
				return certs.Look{Renewing: true}, nil
			}
			return renewed, nil
		}, 10 * time.Minute, ""},
		"a stream that broke off, and no answer": {cutOff(), away, comesBack, "no answer"},
		"a refusal, and no answer":               {refusedByHost(), away, refusedFor, "no room"},
		"a refusal, while another renewal is at work for it": {refusedByHost(), func(since time.Duration) (certs.Look, error) {
			return certs.Look{Renewing: since < 10*time.Minute, Rows: renewed.Rows}, nil
		}, 10 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, h := asked(t, c.looks)
				begun := time.Now()
				err := r.ask(t.Context(), h, c.cause, quiet)
				if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v", err)
				}
				if took := time.Since(begun); took < c.least || took > c.least+time.Minute {
					t.Errorf("waited %s", took)
				}
			})
		})
	}
}

// "Nothing was changed" is said only where the host itself has said so.
func TestOnlyAHostsOwnRefusalIsOne(t *testing.T) {
	r, h := asked(t, nil)
	for name, c := range map[string]struct {
		cause error
		names []string
		class plan.Class
	}{
		"the host's own":                         {refusedByHost(), h.Names, plan.Refused},
		"a stream that broke off":                {cutOff(), h.Names, plan.Broken},
		"a stream that was ended here":           {plan.Refuse(podcarrier.ErrOutOfBounds, "look at it"), h.Names, plan.Broken},
		"a stream, where only restarts were due": {cutOff(), nil, 0},
		"a refusal, where only restarts were":    {refusedByHost(), nil, plan.Refused},
	} {
		h := h
		h.Names = c.names
		if err := judged(h, r.facts.Looks[0], c.cause); plan.ClassOf(err) != c.class {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The lock stays while the unit of a host may be at work without its command.
func TestAfterAnInterruptionTheLockStaysWhileAHostIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, h := asked(t, func(since time.Duration) (certs.Look, error) {
			if since > time.Minute {
				cancel()
			}
			return certs.Look{Renewing: true}, nil
		})
		if err := r.undo(ctx); err != nil {
			t.Errorf("before: %v", err)
		}
		err := r.ask(ctx, h, cutOff(), quiet)
		if plan.ClassOf(err) != plan.Interrupted || !strings.Contains(err.Error(), "the control planes stay locked") ||
			!strings.Contains(plan.HintOf(err), "takes the lock over") {
			t.Errorf("%v, hint %q", err, plan.HintOf(err))
		}
		if err := r.undo(ctx); !errors.Is(err, plan.ErrKept) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestNoHostBeginsWhileAnotherIsNotReady(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		change  func(f *Facts)
		refused string
	}{
		"all are ready":                    {func(*Facts) {}, ""},
		"its own renewal was not finished": {func(f *Facts) { f.Looks[0].Unfinished, f.Looks[0].EtcdTrouble = true, "no answer" }, ""},
		"its own unit is at work":          {func(f *Facts) { f.Looks[0].Renewing = true }, "on the host of cp1 already"},
		"another's unit is at work":        {func(f *Facts) { f.Looks[1].Renewing = true }, "on the host of cp2 already"},
		"another's was not finished":       {func(f *Facts) { f.Looks[1].Unfinished = true }, "cp2 is no longer ready"},
		"another's API server is away":     {func(f *Facts) { f.Looks[1].APITrouble = "it answers 500" }, "cp2: it answers 500"},
		"another's etcd cannot be asked":   {func(f *Facts) { f.Looks[1].EtcdTrouble = "no answer" }, "etcd cannot be asked on cp2"},
	} {
		t.Run(name, func(t *testing.T) {
			f := planes(t, now, "cp1", "cp2")
			c.change(&f)
			err := f.ready("cp1")
			if (err != nil) != (c.refused != "") || err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
				!strings.Contains(err.Error(), c.refused)) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// The leader goes last, and what is not ready before all others, be it the leader.
func TestWhatIsNotReadyIsMendedFirst(t *testing.T) {
	now := time.Now()
	f := planes(t, now, "cp1", "cp2", "cp3")
	f.Looks[0].Unfinished = true
	hosts, err := f.Decide(certs.Wish{Now: now})
	if err != nil || hosts[0].Node.Name != "cp1" {
		t.Errorf("%v, %v", hosts, err)
	}
	f.Looks[2].APITrouble, f.Looks[2].Rows[1].Served = "it answers 500", &certs.Served{Before: true}
	_, err = f.Decide(certs.Wish{Now: now})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "2 control planes are not ready: cp1 (a renewal was begun") ||
		!strings.Contains(err.Error(), "cp3 (it answers 500)") || !strings.Contains(plan.HintOf(err), inventory.BackupDir) {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
}

func TestOnlyTheMemberOfAnUnfinishedHostMayBeInTrouble(t *testing.T) {
	now := time.Now()
	for member, refused := range map[string]bool{"cp1": false, "cp2": true} {
		f := planes(t, now, "cp1", "cp2")
		f.Looks[0].Unfinished = true
		for i := range f.Looks {
			f.Looks[i].Etcd = fmt.Appendf(nil, `{"members":[{"id":"a","name":%q,"trouble":"does not answer"},{"id":"b","name":"x"}]}`, member)
		}
		_, err := f.Decide(certs.Wish{Now: now})
		if (err != nil) != refused || refused && !strings.Contains(plan.HintOf(err), "interrupted on cp1: the earlier certificates are in "+
			inventory.BackupDir) {
			t.Errorf("%s: %v, hint %q", member, err, plan.HintOf(err))
		}
	}
}

// A kubelet's own certificate is not what a renewal restarts.
func TestAKubeletThatServesAnEarlierCertificateIsNoWork(t *testing.T) {
	now := time.Now()
	f := planes(t, now, "cp1")
	f.Looks[0].Rows = append(f.Looks[0].Rows, certs.Row{Name: "kubelet-server", Served: &certs.Served{Before: true}})
	hosts, err := f.Decide(certs.Wish{Now: now, Names: []string{"etcd-peer"}})
	if err != nil || !hosts[0].Idle() {
		t.Errorf("%+v, %v", hosts, err)
	}
}
