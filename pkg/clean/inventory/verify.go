// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// State is the outcome of a removal.
type State string

// The outcomes.
const (
	Clean            State = "clean"
	CleanAfterReboot State = "clean-after-reboot"
	// CleanBut is a host on which nothing of ours is left, and something that
	// is not provably ours still refers to the cluster, or may: Verdict.But.
	CleanBut State = "clean-but"
	Dirty    State = "dirty"
)

// Done reports whether a removal has come to its end with this outcome.
func (s State) Done() bool { return s == Clean || s == CleanAfterReboot || s == CleanBut }

// Summary is the verdict in a few words: "clean", "clean, but 2 things still refer
// to the cluster", "clean, but 1 thing could not be looked at".
func (v Verdict) Summary() string {
	switch {
	case v.State != CleanBut:
		return string(v.State)
	}
	refer, unseen := v.Referring()
	var parts []string
	if n := Things(refer); n > 0 {
		parts = append(parts, text.Choose(n == 1, "1 thing still refers to the cluster", fmt.Sprintf("%d things still refer to the cluster", n)))
	}
	if n := Things(unseen); n > 0 {
		parts = append(parts, text.Choose(n == 1, "1 thing could not be looked at", fmt.Sprintf("%d things could not be looked at", n)))
	}
	return "clean, but " + strings.Join(parts, ", and ")
}

// Referring divides But into what refers to the cluster, and what could not be looked at
// and nothing is known of.
func (v Verdict) Referring() (refer, unseen []Item) {
	for _, it := range v.But {
		if it.Unseen() {
			unseen = append(unseen, it)
		} else {
			refer = append(refer, it)
		}
	}
	return refer, unseen
}

// Verdict is whether a host is as it was before it joined, and if not, why.
type Verdict struct {
	State State `json:"state"`
	// Backup is where on the host the configuration that went is; empty if
	// nothing was backed up.
	Backup string `json:"backup,omitempty"`
	// Remaining are the things of ours that are still there.
	Remaining []Item `json:"remaining,omitempty"`
	// But are the things that stay, since they are not provably ours, and still
	// refer to the cluster, or may; each says how (Item.Refers).
	But []Item `json:"but,omitempty"`
	// AfterReboot are the things of ours that only a reboot takes away.
	AfterReboot []Item `json:"afterReboot,omitempty"`
	// Unchecked are the parts that could not be read: not called clean.
	Unchecked []Unchecked `json:"unchecked,omitempty"`
	// Blocking is what would stop this host from joining again.
	Blocking []string `json:"blocking,omitempty"`
	// Harmless is what stays because it is empty and does nothing; each says
	// why.
	Harmless []Item `json:"harmless,omitempty"`
	// Flags are the files with which an administrator gives the kubelet flags of
	// the cluster that the host has left; the next one that it joins gets them, too.
	Flags []Item `json:"flags,omitempty"`
	// Personal are the things that went and may be a person's own (Item.Personal): Backup has
	// them, unless none was wanted.
	Personal []Item `json:"personal,omitempty"`
	// Lost are foreign things that were there before and are not any more, and
	// Changed those whose content differs (as they are now). Neither makes a
	// host dirty, since others change a host too, but it is the first thing to
	// look at.
	Lost    []Item `json:"lost,omitempty"`
	Changed []Item `json:"changed,omitempty"`
}

// Verify compares the inventory after a removal with the one before it, and is
// pure. A host is Clean only if nothing of ours is left, nothing blocks a
// join, every part could be read, and nothing foreign refers to the cluster. An empty
// directory that is there again is another program's doing, and harmless.
func Verify(before, after Inventory) Verdict {
	v := Verdict{
		AfterReboot: after.With(Reboot), Unchecked: after.Unchecked, Blocking: after.Blocking,
		Harmless: after.With(Harmless),
	}
	for _, it := range after.With(Goes) {
		if it.Manner == IfEmpty {
			it.Fate, it.Why = Harmless, "empty; another program on this host made it again, or keeps it"
			v.Harmless = append(v.Harmless, it)
			continue
		}
		v.Remaining = append(v.Remaining, it)
	}
	for _, it := range after.With(Stays) {
		if it.Refers != "" {
			v.But = append(v.But, it)
		}
	}
	now := map[string]Item{}
	for _, it := range after.Items {
		if it.Kind == KindFlags {
			v.Flags = append(v.Flags, it)
		}
		now[it.Key()] = it
	}
	for _, was := range before.With(Stays) {
		is, there := now[was.Key()]
		switch {
		case !there:
			v.Lost = append(v.Lost, was)
		case is.Digest != was.Digest:
			v.Changed = append(v.Changed, is)
		}
	}
	for _, was := range before.With(Goes) {
		if _, there := now[was.Key()]; !there && was.Personal != "" {
			v.Personal = append(v.Personal, was)
		}
	}
	v.State = v.state()
	return v
}

// state follows from what is listed.
func (v Verdict) state() State {
	switch {
	case len(v.Remaining)+len(v.Unchecked)+len(v.Blocking) > 0:
		return Dirty
	case len(v.But) > 0:
		return CleanBut
	case len(v.AfterReboot) > 0:
		return CleanAfterReboot
	}
	return Clean
}
