// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
)

// Backend is one of the two packet filters.
type Backend string

// The backends.
const (
	Nft    Backend = "nft"
	Legacy Backend = "legacy"
)

// Table is one table with its chains in the kernel's order.
type Table struct {
	Backend Backend
	// Family is nft's name of it: ip, ip6, inet, arp, bridge, netdev.
	Family string
	Name   string
	Chains []Chain
	// Use is how many things are in an nft table, as the kernel counts: its chains, sets,
	// maps, flowtables and objects. Zero if it was not read from the kernel.
	Use uint32
	// Generation is the state of all of nf_tables in which the table was read:
	// every change makes it one more. Zero for legacy tables.
	Generation uint32
}

// Chain is a list of rules.
type Chain struct {
	Name string
	// Base chains hang on a hook of the kernel; nothing has to jump to them.
	Base bool
	// Policy of a base chain: "accept" or "drop"; empty for others.
	Policy string
	// Type ("filter", "nat", "route") and Hook are a base chain's in nft, the
	// latter as the kernel sent it; empty in legacy tables.
	Type  string
	Hook  []byte
	Rules []Rule
	// Use is how many things of its table hold an nft chain, as the kernel counts: the
	// rules in it, the jumps to it, and verdicts of maps that lead to it.
	Use uint32
}

// Rule is one rule, as far as it has to be understood.
type Rule struct {
	// Handle is the kernel's number of an nft rule; zero for legacy ones.
	Handle uint64
	// Targets are the chains it jumps or goes to.
	Targets []string
	// Comments are its comments, whichever way they were written: Calico gives
	// some rules two.
	Comments []string
	// Text is a legacy rule as iptables-save prints it, without counters.
	Text string
	// Raw is an nft rule's expressions as the kernel sent them.
	Raw []byte
	// UserData is what a tool keeps with an nft rule: its comment, most often.
	UserData []byte
}

// HandleText is a rule's handle as nft prints it.
func (r Rule) HandleText() string { return "handle " + strconv.FormatUint(r.Handle, 10) }

// content writes what a rule does, without what changes by itself.
func (r Rule) content(to io.Writer) {
	_, _ = io.WriteString(to, r.Text)
	_ = eachExpression(r.Raw, func(name, data []byte) error { // it was understood when it was read
		_, _ = to.Write(name)
		switch string(name) {
		case "counter", "quota", "last":
			return nil
		}
		_, _ = to.Write(append([]byte{'='}, data...))
		return nil
	})
	_, _ = to.Write(r.UserData)
}

// Compatible reports whether the table has the shape of an iptables table, so
// that one may expect several owners in it. Native nft tables have one owner.
func (t Table) Compatible() bool {
	if t.Backend == Legacy {
		return true
	}
	return slices.Contains([]string{"ip", "ip6"}, t.Family) &&
		slices.Contains([]string{"raw", "mangle", "nat", "filter", "security"}, t.Name)
}

// String is "nft ip nat".
func (t Table) String() string { return string(t.Backend) + " " + t.Family + " " + t.Name }

// Chain returns the chain of a name, or nil.
func (t Table) Chain(name string) *Chain {
	for i := range t.Chains {
		if t.Chains[i].Name == name {
			return &t.Chains[i]
		}
	}
	return nil
}

// Rules counts the rules of all chains.
func (t Table) Rules() int {
	n := 0
	for _, c := range t.Chains {
		n += len(c.Rules)
	}
	return n
}

// Digest is a hash of some chains and rules of a table, in their order, without
// counters: of those for which keep says yes. A nil rule asks about the chain
// itself.
func (t Table) Digest(keep func(c *Chain, r *Rule) bool) string {
	sum := sha256.New()
	for i := range t.Chains {
		c := &t.Chains[i]
		if !keep(c, nil) {
			continue
		}
		sum.Write([]byte("chain " + c.Name + " " + c.Policy + "\n"))
		for j := range c.Rules {
			if r := &c.Rules[j]; keep(c, r) {
				r.content(sum)
				sum.Write([]byte{'\n'})
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Deletion is what is to be deleted from one table, all of it or nothing.
type Deletion struct {
	Table Table
	// Whole deletes the table with everything in it; the rest is then ignored.
	Whole bool
	// Rules are single rules in chains that stay, by chain name.
	Rules map[string][]Rule
	// Flush are chains that lose all their rules, and Chains those of them that
	// are deleted.
	Flush, Chains []string
	// Bare are chains, and with Drop the table itself, that go only if nothing
	// is in them when the rest is deleted; else the whole deletion fails.
	Bare []string
	Drop bool
	// Open are chains of the kernel's in a legacy table, which cannot be deleted:
	// they let everything pass instead of dropping it.
	Open []string
}

// Empty reports whether there is nothing to delete.
func (d Deletion) Empty() bool {
	return !d.Whole && !d.Drop && len(d.Rules) == 0 && len(d.Flush) == 0 && len(d.Chains) == 0 && len(d.Open) == 0
}

// set has the names of some lists, of which a table may have thousands.
func set(lists ...[]string) map[string]bool {
	all := map[string]bool{}
	for _, list := range lists {
		for _, name := range list {
			all[name] = true
		}
	}
	return all
}

// After is the table as the deletion leaves it, and whether there still is one.
func (d Deletion) After() (left Table, there bool) {
	if d.Whole || d.Drop {
		return Table{}, false
	}
	left = d.Table
	left.Chains = nil
	more := d.Table.More()
	deleted, flushed := set(d.Chains, d.Bare), set(d.Flush)
	for _, c := range d.Table.Chains {
		switch gone := d.Rules[c.Name]; {
		case deleted[c.Name]:
			continue
		case flushed[c.Name]:
			c.Rules = nil
		case len(gone) > 0:
			handles := map[uint64]bool{}
			for _, r := range gone {
				handles[r.Handle] = true
			}
			c.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r Rule) bool { return handles[r.Handle] })
		}
		left.Chains = append(left.Chains, c)
	}
	if left.Use > 0 {
		left.Use = uint32(len(left.Chains)) + more
	}
	mapped, led := d.Table.Mapped(), left.led()
	for i := range left.Chains {
		if c := &left.Chains[i]; c.Use > 0 {
			c.Use = uint32(len(c.Rules)) + led[c.Name] + mapped[c.Name]
		}
	}
	return left, true
}

// More counts what is in an nft table besides its chains: sets, maps, flowtables and
// objects, which are not read, and without which the kernel does not delete it
// (NLM_F_NONREC).
func (t Table) More() uint32 {
	if chains := uint32(len(t.Chains)); t.Use > chains {
		return t.Use - chains
	}
	return 0
}

// led counts the rules that lead to each chain.
func (t Table) led() map[string]uint32 {
	out := map[string]uint32{}
	for _, c := range t.Chains {
		for _, r := range c.Rules {
			for _, target := range r.Targets {
				out[target]++
			}
		}
	}
	return out
}

// Mapped counts, for each nft chain, what leads to it and is no rule: elements of maps of
// verdicts, which are not read.
func (t Table) Mapped() map[string]uint32 {
	out, led := map[string]uint32{}, t.led()
	for _, c := range t.Chains {
		if known := uint32(len(c.Rules)) + led[c.Name]; c.Use > known {
			out[c.Name] = c.Use - known
		}
	}
	return out
}
