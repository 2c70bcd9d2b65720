// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Order is what the program on a host is told. The zero value only reads.
type Order struct {
	Wanted Wanted `json:"wanted"`
	// Apply makes the changes, or takes them back with Undo.
	Apply bool `json:"apply,omitempty"`
	Undo  bool `json:"undo,omitempty"`
	// Install has packages brought that the host lacks; nil brings none.
	Install *packages.Order `json:"install,omitempty"`
	// Now is the time of the one who asks, in seconds since 1970; 0 if it is not to be
	// compared.
	Now int64 `json:"now,omitempty"`
}

// Skew is how many seconds this machine's clock is ahead of the one that asks.
func (o Order) Skew() float64 { return time.Since(time.Unix(o.Now, 0)).Seconds() }

// Outcome is what a host has answered.
type Outcome struct {
	// Report is what it lacks, after the changes if they were made.
	Report Report `json:"report"`
	// Made are the changes that were made.
	Made []string `json:"made,omitempty"`
	// Pending are the changes that an undo would take back, the last one first; Undone
	// those that it has.
	Pending []string `json:"pending,omitempty"`
	Undone  []Undone `json:"undone,omitempty"`
	// CRISocket is the runtime's that is to be used, where it was chosen. It stays on the host.
	CRISocket string `json:"-"`
}

// Undone is what became of one change.
type Undone struct {
	// Change is it, in a line.
	Change string `json:"change"`
	// Kept is why it was not taken back; empty if it was.
	Kept string `json:"kept,omitempty"`
}

// Validate refuses values that no host can have.
func (w Wanted) Validate() error {
	if w.Role != "" && w.Role != Worker && w.Role != ControlPlane {
		return fmt.Errorf("the role is %q; it is %s or %s", w.Role, Worker, ControlPlane)
	}
	if w.Hostname != "" && badName(w.Hostname) != "" {
		return fmt.Errorf("the host cannot be named %q: %s", w.Hostname, badName(w.Hostname))
	}
	fits := func(form, value string) bool { return value == "" || regexp.MustCompile(form).MatchString(value) }
	switch {
	case !fits(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}$`, w.TimeZone):
		return fmt.Errorf("%q is not a time zone; an example is Asia/Shanghai", w.TimeZone)
	case !fits(`^(unix://)?/[A-Za-z0-9._/@:+-]{1,1000}$`, w.CRISocket):
		return fmt.Errorf("%q is not a CRI socket; an example is unix:///run/containerd/containerd.sock", w.CRISocket)
	case !fits(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$`, w.SandboxImage):
		return fmt.Errorf("%q is not the name of an image", w.SandboxImage)
	case !fits(`^(systemd|cgroupfs)$`, w.CgroupDriver):
		return errors.New("the cgroup driver is systemd or cgroupfs")
	case !fits(`^/[ -~]{1,1000}$`, w.EtcdDir):
		return errors.New("the directory of etcd's data in the cluster's configuration is not the path of a directory")
	}
	return w.validKubelet()
}

// validKubelet is Validate of what is from the cluster's kubelet-config.
func (w Wanted) validKubelet() error {
	for _, name := range w.ReservedCgroups {
		if !regexp.MustCompile(`^/?[A-Za-z0-9._/@:\\-]{1,255}$`).MatchString(name) || strings.Contains(name, "..") {
			return errors.New("a reserved cgroup of the cluster's kubelet-config is not the name of one")
		}
	}
	if path := w.ResolvConf; path != nil && *path != "" && !regexp.MustCompile(`^/[!-~]{0,1000}$`).MatchString(*path) {
		return errors.New("the resolvConf of the cluster's kubelet-config is not the path of a file")
	}
	return nil
}

// Lines are the outcome for a person, the worst first.
func (o Outcome) Lines(order Order) (all []string) {
	if order.Undo {
		return o.undoLines(order)
	}
	for _, f := range byWeight(o.Report.Findings) {
		all = append(all, fmt.Sprintf("%-6s  %-24s  %s", f.Severity, f.ID, f.Text))
		for _, c := range f.Changes {
			all = append(all, "        would "+c.String())
		}
		if f.WayOut != "" {
			all = append(all, "        "+f.WayOut)
		}
	}
	for _, part := range o.Report.Unread {
		all = append(all, "not checked: "+part)
	}
	summary := fmt.Sprintf("%d checks: %d found nothing, %s", len(IDs()), len(o.Report.Checked), text.Count(len(o.Report.Findings), "finding"))
	switch changes := len(o.Report.Changes()); {
	case len(o.Made) > 0:
		summary += fmt.Sprintf(", %s made", text.Count(len(o.Made), "change"))
	case changes > 0:
		summary += fmt.Sprintf(", %s would be made (nothing was changed)", text.Count(changes, "change"))
	}
	return append(all, summary)
}

func (o Outcome) undoLines(order Order) (all []string) {
	switch {
	case order.Apply:
		for _, u := range o.Undone {
			line := "undone: " + u.Change
			if u.Kept != "" {
				line = "kept: " + u.Change + " (" + u.Kept + ")"
			}
			all = append(all, line)
		}
	default:
		for _, c := range o.Pending {
			all = append(all, "would undo: "+c)
		}
	}
	if len(all) == 0 {
		return []string{"prep has changed nothing here: nothing to undo"}
	}
	return all
}

// Next is what a person does after an outcome that blocks.
func (o Order) Next(out Outcome) string {
	if !o.Apply && len(out.Report.Changes()) > 0 {
		return "make the changes above with --yes; fix by hand what has no change listed"
	}
	return "follow the advice below each finding that blocks, and run the command again"
}

// Shown is the outcome as it leaves the host.
func (o Outcome) Shown() Outcome {
	o.Report.Findings = slices.Clone(o.Report.Findings)
	for i, f := range o.Report.Findings {
		changes := make([]Change, len(f.Changes))
		for j, c := range f.Changes {
			changes[j] = c.Shown()
		}
		o.Report.Findings[i].Changes = changes
	}
	return o
}

// Bounded refuses an outcome that no honest host sends: with too many lines, or with
// one that is too long. It counts before it makes lines of anything.
func (o Outcome) Bounded(lines, length int) error {
	all := slices.Concat(o.Made, o.Pending, o.Report.Checked, o.Report.Unread, o.Report.Doubtful)
	count := len(all) + len(o.Report.Findings) + len(o.Undone)
	for _, f := range o.Report.Findings {
		if count += len(f.Changes); count > lines {
			break
		}
		all = append(all, f.ID, string(f.Severity), f.Text, f.WayOut)
		for _, c := range f.Changes {
			all = append(all, string(c.Kind), c.Name, c.Path, c.Content, c.Before)
		}
	}
	for _, u := range o.Undone {
		all = append(all, u.Change, u.Kept)
	}
	if count > lines || slices.ContainsFunc(all, func(text string) bool { return len(text) > length }) {
		return errors.New("the answer of the host is malformed: it has text in it that is not expected")
	}
	return nil
}
