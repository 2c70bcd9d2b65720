// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostdata"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The program on a host does what it was told when the run began. The command that resumes
// the run may ask for something else, and shows a plan of that: so the record notes
// what the host was told, and both are compared.

// terms are what this removal tells a host.
func (r *Removal) terms() string { return r.choices() + r.keeping() }

// choices are those of the person, as the flags that make them; the word that ends them
// is that of keeping.
func (r *Removal) choices() string {
	c := r.request.Choices
	words := []string{}
	for _, flag := range []struct {
		given bool
		name  string
	}{
		{c.Firewall != "" && c.Firewall != inventory.FirewallOwned, "--firewall=" + string(c.Firewall)},
		{c.NoBackup, "--no-backup"}, {c.NoKeys, "--shred-keys"}, {c.BackupKeys, "--backup-keys"}, {c.DeleteHostData, "--delete-host-data"},
	} {
		if flag.given {
			words = append(words, flag.name)
		}
	}
	if len(words) == 0 {
		words = append(words, "no choices")
	}
	if r.operation.term != nil {
		words = append(words, r.operation.term())
	}
	return strings.Join(words, " ")
}

// term is the cluster that a host moves to.
func (t *moveTarget) term() string { return "to " + t.about.Endpoint }

// keepingWord begins which data of pods is to stay.
const keepingWord = "; keeping "

// keeping are the paths whose data is to stay, in short.
func (r *Removal) keeping() string {
	paths := hostdata.Kept(r.Data)
	h := fnv.New64a()
	for _, path := range paths {
		_, _ = h.Write([]byte(path + "\n"))
	}
	return fmt.Sprintf("%s%d paths (%x)", keepingWord, len(paths), h.Sum64())
}

// agree refuses to take up a run whose host works already, or was told to begin, if it
// was told anything else than what is wanted now.
func (r *Removal) agree(rec runner.Record) error {
	begun := rec.State.Phase == wire.Working || rec.State.Phase == wire.Waiting || rec.State.Phase == wire.Ready && rec.State.Order != ""
	told, _, _ := strings.Cut(rec.State.Terms, keepingWord)
	if !begun || told == "" || told == r.choices() {
		return nil
	}
	return r.otherTerms(rec)
}

// otherTerms is the refusal of a run that does something else than what is wanted.
func (r *Removal) otherTerms(rec runner.Record) error {
	told, _, _ := strings.Cut(rec.State.Terms, keepingWord)
	return plan.Refuse(fmt.Errorf("the %s was begun with other choices: %s; now: %s", rec.State.Describe(), told, r.choices()),
		"repeat the command as it was given first; or abort the run, if the host is not clean yet: kubectl lifecycle runs abort "+
			"%s", text.Quote(rec.State.Node))
}

// beginAgain sends a program home that waits for the order to begin and was told
// something else than what is wanted now, so that it is begun again; it has changed
// nothing. It reports whether that run had cordoned the node.
func (r *Removal) beginAgain(ctx context.Context, report plan.Report) (cordoned bool, err error) {
	if r.Resumes == nil {
		return false, nil
	}
	rec, found, err := runner.Get(ctx, r.cluster, r.Node.Name)
	if err != nil || !found || !rec.Of(r.Node) || rec.State.Phase != wire.Ready || rec.State.Terms == "" || rec.State.Terms == r.terms() {
		return false, err
	}
	if err := r.agree(rec); err != nil {
		return false, err
	}
	report("the program on the host was told something else: it starts again")
	if err := sendHome(ctx, r.cluster, rec); err != nil && !errors.Is(err, runner.ErrGone) {
		return false, err
	}
	return rec.State.Cordoned, nil
}
