// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"bufio"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// What others change while the kernel unmounts, in either backend, is in the
// snapshot, too: it is the packet filter as it was before the first deletion.
func TestTheSnapshotIsThePacketFilterBeforeTheFirstDeletion(t *testing.T) {
	for name, meanwhile := range map[string]string{
		"nothing changed meanwhile": "true",
		"a native rule was added":   "nft 'add rule inet mine c ip saddr 203.0.113.77 drop'",
		"a legacy rule was added":   "iptables-legacy -A DOCKER-USER -p tcp --dport 24 -j DROP",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				var before string
				recipe := w.target().Recipe()
				recipe.Steps = slices.DeleteFunc(recipe.Steps, func(s plan.Step) bool { return s.ID != "mounts" && s.ID != "packet-filter" })
				recipe.Steps = slices.Insert(recipe.Steps, 1, plan.Step{ID: "others", Title: "others", Do: func(context.Context, plan.Report) error {
					w.script(meanwhile)
					before = w.printed()
					return nil
				}})
				_, err := recipe.Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				raw, err := os.ReadFile(w.dir + "/state/packet-filter.txt")
				hosttest.Must(w.T, err)
				if diff := cmp.Diff(before, uncounted(string(raw))); diff != "" || !strings.Contains(before, "KUBE-SERVICES") {
					w.Errorf("(-before the first deletion +snapshot):\n%s", diff)
				}
				w.script("test ! -e state/packet-filter-ahead.txt")
			})
		})
	}
}

// printed is the packet filter as it is, but for what its rules have counted.
func (w *world) printed() string {
	w.Helper()
	all, err := netfilter.ReadNft()
	hosttest.Must(w.T, err)
	for _, family := range []string{"ip", "ip6"} {
		legacy, err := netfilter.ReadLegacy(w.Context(), host.Local{Exec: w.exec}, family)
		hosttest.Must(w.T, err)
		all = append(all, legacy...)
	}
	var out strings.Builder
	to := bufio.NewWriter(&out)
	for _, table := range all {
		table.Print(to)
	}
	hosttest.Must(w.T, to.Flush())
	return uncounted(out.String())
}

// uncounted leaves out expressions, one of which is a counter.
func uncounted(text string) string {
	return regexp.MustCompile(`expressions [A-Za-z0-9+/]+=*`).ReplaceAllString(text, "expressions")
}
