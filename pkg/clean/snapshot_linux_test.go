// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"slices"
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
				var before []string
				recipe := w.target().Recipe()
				recipe.Steps = slices.DeleteFunc(recipe.Steps, func(s plan.Step) bool { return s.ID != "mounts" && s.ID != "packet-filter" })
				recipe.Steps = slices.Insert(recipe.Steps, 1, plan.Step{ID: "others", Title: "others", Do: func(context.Context, plan.Report) error {
					w.script(meanwhile)
					before = digests(w.tables())
					return nil
				}})
				_, err := recipe.Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				f, err := os.Open(w.dir + "/state/packet-filter.txt")
				hosttest.Must(w.T, err)
				kept, err := netfilter.ReadTables(bufio.NewReader(f))
				hosttest.Must(w.T, errors.Join(err, f.Close()))
				if diff := cmp.Diff(before, digests(kept)); diff != "" {
					w.Errorf("(-before the first deletion +snapshot):\n%s", diff)
				}
				w.script("test ! -e state/packet-filter-ahead.txt")
			})
		})
	}
}

// tables is the packet filter as it is.
func (w *world) tables() []netfilter.Table {
	w.Helper()
	all, err := netfilter.ReadNft()
	hosttest.Must(w.T, err)
	for _, family := range []string{"ip", "ip6"} {
		legacy, err := netfilter.ReadLegacy(w.Context(), host.Local{Exec: w.exec}, family)
		hosttest.Must(w.T, err)
		all = append(all, legacy...)
	}
	return all
}

// digests tell tables apart, but for what their rules have counted.
func digests(tables []netfilter.Table) []string {
	var out []string
	for _, table := range tables {
		out = append(out, table.String()+" "+table.Digest(func(*netfilter.Chain, *netfilter.Rule) bool { return true }))
	}
	return out
}
