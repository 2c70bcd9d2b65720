// SPDX-License-Identifier: Apache-2.0

//go:build bench

package clean_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// What a how-to does, as one finds it in many of them: unmounts line by line,
// and has whole tables written again without the lines that look like Kubernetes.
const (
	shellMounts = `for m in $(mount | grep "$PWD/var/lib/kubelet" | awk '{print $3}'); do umount $m; done`
	shellRules  = `iptables-nft-save | grep -v KUBE | iptables-nft-restore`
)

// report is one line: the how-to's median, ours, and how many times faster that is.
func report(t *testing.T, what string, theirs, ours []time.Duration) {
	t.Helper()
	slices.Sort(theirs)
	slices.Sort(ours)
	a, b := theirs[len(theirs)/2], ours[len(ours)/2]
	line := fmt.Sprintf("  %-44s the how-to %8.3f s, ours %8.3f s: %6.1f × faster\n", what, a.Seconds(), b.Seconds(), float64(a)/float64(b))
	if path := os.Getenv("BENCH_OUT"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		hosttest.Must(t, err)
		_, err = f.WriteString(line)
		hosttest.Must(t, err)
		hosttest.Must(t, f.Close())
	}
	t.Log(line)
}

// steps runs some steps of a removal, which finds nothing of an earlier one. As on a
// real host, what is deleted is kept until the API server is reached without it.
func (w *world) steps(ids ...string) {
	w.Helper()
	w.reach = func(context.Context) error { return nil }
	recipe := w.target().Recipe()
	recipe.Steps = slices.DeleteFunc(recipe.Steps, func(s plan.Step) bool { return !slices.Contains(ids, s.ID) })
	_, err := recipe.Run(w.Context(), nil)
	hosttest.Must(w.T, err)
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func TestBenchAThousandMounts(t *testing.T) {
	inWorld(t, func(w *world) {
		var theirs, ours, looks []time.Duration
		for range 3 {
			w.plantMounts()
			looks = append(looks, timed(func() { w.survey() }))
			theirs = append(theirs, timed(func() { w.script(shellMounts) }))
			w.plantMounts()
			ours = append(ours, timed(func() { w.steps("mounts") }))
			w.noMountIsLeft()
		}
		report(w.T, "1,000 mounts below /var/lib/kubelet", theirs, ours)
		report(w.T, "(an inventory of a host with them)", looks, looks)
	})
}

func TestBenchTenThousandRules(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("iptables-nft -P FORWARD ACCEPT")
		var theirs, ours, looks []time.Duration
		for range 3 {
			w.plantRules()
			looks = append(looks, timed(func() { w.survey() }))
			theirs = append(theirs, timed(func() { w.script(shellRules) }))
			w.plantRules()
			ours = append(ours, timed(func() { w.steps("packet-filter") }))
			w.foreignRulesAreLeft()
		}
		report(w.T, "10,000 packet-filter rules, half of others", theirs, ours)
		report(w.T, "(an inventory of a host with them)", looks, looks)
	})
}

func TestBenchAHostWithBoth(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("iptables-nft -P FORWARD ACCEPT")
		var theirs, ours, looks []time.Duration
		for range 3 {
			w.plantRules()
			w.plantMounts()
			looks = append(looks, timed(func() { w.survey() }))
			theirs = append(theirs, timed(func() { w.script(shellMounts + "; " + shellRules) }))
			w.plantRules()
			w.plantMounts()
			ours = append(ours, timed(func() { w.steps("mounts", "packet-filter") }))
			w.noMountIsLeft()
			w.foreignRulesAreLeft()
		}
		report(w.T, "a host with both", theirs, ours)
		report(w.T, "(an inventory of it)", looks, looks)
	})
}

// plantMounts mounts a thousand times without a thousand processes of mount(8).
func (w *world) plantMounts() {
	w.Helper()
	for i := range 1000 {
		at := fmt.Sprintf("%s/var/lib/kubelet/pods/%s/volumes/%d", w.dir, uid, i)
		hosttest.Must(w.T, os.MkdirAll(at, 0o755))
		hosttest.Must(w.T, unix.Mount("t", at, "tmpfs", 0, ""))
	}
}

// noMountIsLeft: a step that takes nothing for its own is fast.
func (w *world) noMountIsLeft() {
	w.Helper()
	if left := strings.TrimSpace(w.script("grep -c '/var/lib/kubelet/pods/' /proc/self/mountinfo || true")); left != "0" {
		w.Errorf("%s mounts are left", left)
	}
}

func (w *world) plantRules() {
	w.Helper()
	w.script("rm -rf state; iptables-nft -t nat -F; iptables-nft -t nat -X; " + rulesFile() + " | iptables-nft-restore")
}

func (w *world) foreignRulesAreLeft() {
	w.Helper()
	if left := strings.Count(w.script("iptables-nft -t nat -S"), "192.0.2."); left != 5000 {
		w.Errorf("%d of 5000 foreign rules are left", left)
	}
}

// rulesFile is a shell's way to say what iptables-restore reads: the rules of
// kube-proxy for 1,250 services with an endpoint each, in the chains and numbers
// that it writes, named with letters as its own are; and as many rules of others.
func rulesFile() string {
	return `{ echo '*nat'; all=$(seq -f %015g 1250 | tr '0189' 'PQRS'); echo ":KUBE-SERVICES - [0:0]"; echo ":KUBE-MARK-MASQ - [0:0]"
for k in $all; do echo ":KUBE-SVC-A$k - [0:0]"; echo ":KUBE-SEP-A$k - [0:0]"; done
echo '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'; echo '-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000'
for k in $all; do echo "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp \
-m comment --comment \"ns/service$k cluster IP\" -m tcp --dport 80 -j KUBE-SVC-A$k
-A KUBE-SVC-A$k -m comment --comment \"ns/service$k -> 10.244.1.2:80\" -j KUBE-SEP-A$k
-A KUBE-SEP-A$k -s 10.244.1.2/32 -m comment --comment ns/service$k -j KUBE-MARK-MASQ
-A KUBE-SEP-A$k -p tcp -m comment --comment ns/service$k -m tcp -j DNAT --to-destination 10.244.1.2:80"; done
for n in $(seq 2500); do echo "-A PREROUTING -s 192.0.2.1/32 -p tcp --dport $n -j RETURN
-A OUTPUT -s 192.0.2.2/32 -p udp --dport $n -j RETURN"; done; echo COMMIT; }`
}
