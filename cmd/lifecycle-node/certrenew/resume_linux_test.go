// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func never(string) (string, error) { return "", errors.New("it is not asked") }

// What is wrong elsewhere takes no good certificate back, which a person may have renewed since.
func TestGoodCertificatesStayThoughAnotherHostIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		begun(t, b, "new", "key of new")
		b.sick = errors.New("member cp3 of etcd does not answer")
		r := b.renewal(never)
		r.order.Wish.Names = []string{"none"}
		out := r.do(t.Context())
		if out.Restored || !out.Changed || !strings.Contains(out.Error, "are good and in use, and stay") ||
			!strings.Contains(out.Error, "cp3") || !strings.Contains(out.Hint, out.Backup) || b.read(files()["apiserver"]) != "new" {
			t.Errorf("%+v: %q", out, b.read(files()["apiserver"]))
		}
		if got := b.read("/etc/kubernetes/pki/" + certs.RenewalJournal); !strings.HasPrefix(got, "{") {
			t.Errorf("the journal: %s", got)
		}
		b.sick = nil
		r = b.renewal(never)
		r.order.Wish.Names = []string{"none"}
		if again := r.do(t.Context()); again.Error != "" || b.read(files()["apiserver"]) != "new" {
			t.Errorf("the next call: %+v", again)
		}
		b.leftovers(out, false)
	})
}

// After an interruption a person may have put something there.
func TestWhatIsReplacedAfterAnInterruptionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		begun(t, b, "bad of a person", "their key")
		r := b.renewal(never)
		r.order.Wish.Names = []string{"none"}
		out := r.do(t.Context())
		if !out.Restored || b.read(files()["apiserver"]) != "old" || b.read(filepath.Join(out.Backup, replaced, files()["apiserver"])) !=
			"bad of a person" || b.read(filepath.Join(out.Backup, replaced, apiserverKey)) != "their key" {
			t.Errorf("%+v: %q", out, b.read(files()["apiserver"]))
		}
		b.leftovers(out, false)
	})
}

func TestEverythingThatIsReplacedIsKeptOnce(t *testing.T) {
	b := newBed(t)
	begun(t, b, "one", "key")
	saved, err := unfinished(b.renewal(never).host, usualDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"one", "two", "one"} {
		b.write(files()["apiserver"], content)
		for _, f := range saved.Files {
			if f.Path == files()["apiserver"] {
				b.script(saved.spare(f))
			}
		}
	}
	kept, _ := filepath.Glob(filepath.Join(b.root, saved.Far, replaced, files()["apiserver"]) + "*")
	if at := filepath.Join(saved.Far, replaced, files()["apiserver"]); len(kept) != 2 || b.read(at) != "one" || b.read(at+".2") != "two" {
		t.Errorf("%q", kept)
	}
}

// An order whose answer was lost is sent again: what it has renewed is not renewed twice, also
// with --force.
func TestAnOrderThatComesTwiceIsDoneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		order := func(kubeadm func(string) (string, error)) certs.Outcome {
			r := b.renewal(kubeadm, all()...)
			r.order.Wish.Force = true
			r.order.Seen = map[string]string{"admin.conf": "old", "apiserver": "old", "scheduler.conf": "old"}
			return r.do(t.Context())
		}
		if out := order(good); out.Error != "" || len(out.Renewed) != len(all()) {
			t.Fatalf("%+v", out)
		}
		if out := order(never); out.Error != "" || !out.Changed || len(out.Renewed) > 0 || b.read(files()["apiserver"]) != "new" {
			t.Errorf("a second time: %+v", out)
		}
		b.write(files()["admin.conf"], "old")
		if out := order(good); out.Error != "" || len(out.Renewed) != 1 || b.read(files()["admin.conf"]) != "new" {
			t.Errorf("what it had not renewed: %+v", out)
		}
	})
}

// That is a change, too: it is not told as a refusal.
func TestARestartIsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.write(files()["scheduler.conf"], "new")
		b.sick = errors.New("no leader")
		if out := b.renewal(never).do(t.Context()); !out.Changed || out.Error == "" || len(out.Restarted) != 1 {
			t.Errorf("%+v", out)
		}
	})
}

// Before a change all of etcd has to be well; afterwards, what this host answers for.
func TestWhichMembersOfEtcdAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(v *inventory.Etcd)
		whole, own string
	}{
		"all are well":     {func(*inventory.Etcd) {}, "", ""},
		"its own is away":  {func(v *inventory.Etcd) { v.Members[0].Trouble = "does not answer" }, "member a of", "member a of"},
		"the leader is":    {func(v *inventory.Etcd) { v.Members[1].Trouble = "raises an alarm" }, "member b of", "member b of"},
		"another one is":   {func(v *inventory.Etcd) { v.Members[2].Trouble = "does not answer" }, "member c of", ""},
		"another learns":   {func(v *inventory.Etcd) { v.Members[2].Learner = true }, "still learning", ""},
		"another has gone": {func(v *inventory.Etcd) { v.Members = v.Members[:2] }, "etcd has 2 members", ""},
		"nothing leads":    {func(v *inventory.Etcd) { v.Members[1].Leader = false }, "", "no member of etcd is found to be its leader"},
		"it has none here": {func(v *inventory.Etcd) { v.Self = "" }, "", "no member of this host"},
	} {
		t.Run(name, func(t *testing.T) {
			view := inventory.Etcd{Self: "1", Members: []inventory.EtcdMember{{ID: "1", Name: "a"}, {ID: "2", Name: "b", Leader: true},
				{ID: "3", Name: "c"}}}
			c.change(&view)
			for want, err := range map[*string]error{&c.whole: whole(view, 3), &c.own: own(view)} {
				if (err != nil) != (*want != "") || err != nil && !strings.Contains(err.Error(), *want) {
					t.Errorf("%v, want %q", err, *want)
				}
			}
		})
	}
}

func TestWhatStaysIsNotPutBack(t *testing.T) {
	b := newBed(t)
	begun(t, b, "new", "key of new")
	b.write(files()["scheduler.conf"], "new")
	saved, err := unfinished(b.renewal(never).host, usualDir)
	if err != nil {
		t.Fatal(err)
	}
	b.script(saved.restore(nil, "apiserver"))
	if b.read(files()["apiserver"]) != "new" || b.read(apiserverKey) != "key of new" || b.read(files()["scheduler.conf"]) != "old" {
		t.Errorf("%q, %q, %q", b.read(files()["apiserver"]), b.read(apiserverKey), b.read(files()["scheduler.conf"]))
	}
}

// A program that could not be restarted runs with the earlier file: once that is back, nothing
// has to be restarted, with a kubelet that does not answer least of all.
func TestAKubeletThatStopsInTheMiddleLeavesNothingHalfDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		written := time.Now().Add(-time.Hour)
		for _, name := range []string{"scheduler.conf", "apiserver"} {
			b.script(os.Chtimes(filepath.Join(b.root, files()[name]), written, written))
		}
		out := b.renewal(func(string) (string, error) {
			b.mute = errors.New("the kubelet does not answer")
			return "new", nil
		}, all()...).do(t.Context())
		if !out.Restored || !strings.Contains(out.Error, "kube-scheduler is not restarted: the kubelet does not answer") ||
			len(out.Restarted) > 0 || !strings.Contains(out.Hint, "start it on the host") {
			t.Errorf("%+v", out)
		}
		info, err := os.Stat(filepath.Join(b.root, files()["scheduler.conf"]))
		if err != nil || !info.ModTime().Equal(written) || b.read(files()["scheduler.conf"]) != "old" {
			t.Errorf("%v, %v", info, err)
		}
		if info, err = os.Stat(filepath.Join(b.root, files()["apiserver"])); err != nil || info.ModTime().Equal(written) {
			t.Errorf("a file that its program has read keeps its time: %v, %v", info, err)
		}
		b.leftovers(out, false)
	})
}
