// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// filterRounds is how often it is decided again because another program changed
// the rules in between.
const filterRounds = 8

// Rules are the chains, rules and tables of both backends.
func (t Filter) Rules() part.Part {
	f := &reader{Local: t.Local}
	look := func(ctx context.Context) (part.Findings, error) { return t.lookFilter(ctx, f) }
	return part.Part{
		ID: "packet-filter", Kind: inventory.KindTable, Look: look,
		Begin: func(ctx context.Context) { t.beginFilter(ctx, f) },
		Take: func(ctx context.Context, report plan.Report) error {
			if err := t.removeRules(ctx, f, report); err != nil || !t.anyRule(ctx, f) {
				return err
			}
			return part.Left(ctx, look)
		},
		Needed: func(ctx context.Context) (bool, error) {
			pending, err := t.pending()
			return pending || f.foreseen() || t.anyRule(ctx, f), err
		},
	}
}

// anyRule reports whether anything is to be deleted. It is what look tells, without
// a word about each rule.
func (t Filter) anyRule(ctx context.Context, f *reader) bool {
	if t.Choices.Firewall == inventory.FirewallNone {
		return false
	}
	var s part.Findings
	return len(t.deletions(f, f.tables(ctx, &s))) > 0
}

// deletions is what is to be deleted from tables that were read together. What it
// has decided about a table of nf_tables holds until the kernel says that anything
// has changed.
func (t Filter) deletions(f *reader, tables []netfilter.Table) []netfilter.Deletion {
	by := t.filterSigns()
	var out []netfilter.Deletion
	decided := map[string]netfilter.Deletion{}
	for _, table := range tables {
		state := fmt.Sprint(table, table.Generation, by.Others)
		d, known := f.decided[state]
		if !known {
			d = divideAs(t.Choices, table, by).deletion()
		}
		if table.Backend == netfilter.Nft {
			decided[state] = d
		}
		if !d.Empty() {
			out = append(out, d)
		}
	}
	f.decided = decided
	return out
}

// filterReader reads the packet filter of a host. Ten thousand rules take their
// time, so it remembers those of nf_tables, whose kernel tells whether anything
// has changed since.
type reader struct {
	host.Local
	nft   []netfilter.Table
	ahead sync.WaitGroup
	// noted is what aheadFile holds; nothing if there is no such file.
	noted []netfilter.Table
	// work says that there was something to delete in these, until it is asked for.
	work bool
	// decided is what deletions has found of nf_tables.
	decided map[string]netfilter.Deletion
}

// foreseen reports, once, whether the look ahead has found something to delete.
func (f *reader) foreseen() bool {
	f.ahead.Wait()
	work := f.work
	f.work = false
	return work
}

// tables reads both backends and both families. What cannot be read is missed,
// and the rest returned all the same.
func (f *reader) tables(ctx context.Context, s *part.Findings) []netfilter.Table {
	f.ahead.Wait()
	return f.read(ctx, s)
}

func (f *reader) read(ctx context.Context, s *part.Findings) []netfilter.Table {
	families := []string{"ip", "ip6"}
	legacy, errs := make([][]netfilter.Table, len(families)), make([]error, len(families))
	var tools sync.WaitGroup
	for i, family := range families {
		tools.Go(func() { legacy[i], errs[i] = netfilter.ReadLegacy(ctx, f.Local, family) })
	}
	if now, err := netfilter.Generation(); err != nil || len(f.nft) == 0 || f.nft[0].Generation != now {
		f.nft, err = netfilter.ReadNft()
		s.Missed(inventory.KindTable, "nft", err)
	}
	tools.Wait()
	out := slices.Clone(f.nft)
	for i, family := range families {
		s.Missed(inventory.KindTable, "legacy iptables, "+family, errs[i])
		out = append(out, legacy[i]...)
	}
	return out
}

// deleted takes transactions of our own into account: the kernel has
// acknowledged each as a whole. If another program changed anything in between, the
// generation is another one than this makes it, and all of it is read again.
func (f *reader) deleted(done []netfilter.Deletion) {
	done = slices.DeleteFunc(done, func(d netfilter.Deletion) bool { return d.Table.Backend != netfilter.Nft })
	if slices.ContainsFunc(done, func(d netfilter.Deletion) bool { return d.Table.More() > 0 }) {
		f.nft = nil // sets without a name have gone with their rules
		return
	}
	var left []netfilter.Table
	for _, table := range f.nft {
		there := true
		if i := slices.IndexFunc(done, func(d netfilter.Deletion) bool { return d.Table.String() == table.String() }); i >= 0 {
			generation := table.Generation
			table, there = done[i].After()
			table.Generation = generation
		}
		if table.Generation += uint32(len(done)); there {
			left = append(left, table)
		}
	}
	f.nft = left
}

// linkOwners tells the network whose a link of a name is, if this host had it. Thousands of rules
// name the same few links.
func (t Filter) linkOwners() func(name string) inventory.Owner {
	known := map[string]inventory.Owner{}
	return func(name string) inventory.Owner {
		owner, asked := known[name]
		if asked {
			return owner
		}
		if owner = ownership.LinkNamed(name); owner != inventory.Foreign && (t.Second == nil || !t.Second(owner)) {
			owner = inventory.Foreign
		}
		known[name] = owner
		return owner
	}
}

func (t Filter) lookFilter(ctx context.Context, f *reader) (part.Findings, error) {
	var s part.Findings
	by, networks := t.filterSigns(), clusterNetworks(t.Facts)
	linkOwner := t.linkOwners()
	for _, table := range f.tables(ctx, &s) {
		d := divideAs(t.Choices, table, by)
		s.Add(t.Choices.KeepRules(d.items())...)
		if !t.Scope.Limited() { // on a node all of Kubernetes' own refer to the cluster
			s.Add(d.referring(networks, linkOwner)...)
		}
	}
	return s, nil
}

// removeRules deletes, table by table in one transaction each, what is ours.
// Who changes the rules at the same moment (Docker does) can make a
// transaction fail; then it is decided again from what is there now.
func (t Filter) removeRules(ctx context.Context, f *reader, report plan.Report) error {
	before, err := t.unsettled()
	if err == nil {
		err = before.settle(ctx, report)
	}
	if err != nil || t.Choices.Firewall == inventory.FirewallNone {
		return err
	}
	guard := t.arm(ctx, report)
	var errs []error
	for round := range filterRounds {
		var s part.Findings
		tables := f.tables(ctx, &s)
		if round == 0 {
			if err := t.snapshot(f, tables); err != nil {
				return fmt.Errorf("keep a snapshot of the packet filter: %w", err)
			}
		}
		var done []netfilter.Deletion
		if done, errs = t.deleteFrom(ctx, t.deletions(f, tables), guard, report); len(errs) == 0 {
			f.deleted(done)
			break
		}
	}
	if err := guard.settle(ctx, report); err != nil {
		return errors.Join(err, part.Summary(errs))
	}
	return part.Summary(errs)
}

// deleteFrom makes deletions that were decided together, and returns those that it
// has made.
func (t Filter) deleteFrom(ctx context.Context, all []netfilter.Deletion, guard *deadman,
	report plan.Report) (done []netfilter.Deletion, errs []error) {
	own := uint32(0) // generations of our own making
	for _, d := range all {
		if d.Table.Generation != 0 {
			d.Table.Generation += own
		}
		if err := guard.before(d); err != nil {
			return done, append(errs, fmt.Errorf("keep what is about to be deleted: %w", err))
		}
		if err := netfilter.Delete(ctx, t.Local, d); err != nil {
			errs = append(errs, err, guard.failed(d))
			continue
		}
		if d.Table.Backend == netfilter.Nft {
			own++
		}
		done = append(done, d)
		report("%s", said(d))
	}
	return done, errs
}

// said is what a deletion did, in a sentence.
func said(d netfilter.Deletion) string {
	if d.Whole {
		return "deleted table " + d.Table.String()
	}
	rules := 0
	for _, list := range d.Rules {
		rules += len(list)
	}
	text := fmt.Sprintf("table %s: deleted %d chains and the %d rules that led to them", d.Table, len(d.Chains), rules)
	if d.Drop {
		text += ", and the table, which is empty now"
	}
	return text
}

// filterSigns are what rules are known by on this host.
func (t Filter) filterSigns() ownership.Signs {
	signs := ownership.FilterSigns(cni.Networks{Host: t.Host}.OtherNetworks(), t.Second)
	return signs.Within(t.Scope)
}
