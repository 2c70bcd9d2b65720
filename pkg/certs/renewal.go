// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Renewable are the certificates that kubeadm renews, by the names that it takes.
func Renewable() []string {
	return []string{"admin.conf", "apiserver", "apiserver-etcd-client", "apiserver-kubelet-client", "controller-manager.conf",
		"etcd-healthcheck-client", "etcd-peer", "etcd-server", "front-proxy-client", "scheduler.conf", "super-admin.conf"}
}

// Wish is what a person wants to be renewed.
type Wish struct {
	// Names are kubeadm's; none means all.
	Names []string `json:"names,omitempty"`
	// Force renews also what was renewed within the last day.
	Force bool `json:"force,omitempty"`
	// Period is how long a new certificate is valid.
	Period time.Duration `json:"period"`
	Now    time.Time     `json:"now"`
}

// fresh is how long after its renewal a certificate is not renewed again, so that the same
// command goes on where it was.
const fresh = 24 * time.Hour

// Left is a certificate that is not renewed, and why.
type Left struct{ Name, Why string }

// Choose decides what of a host is renewed, in kubeadm's order, and what is not. It is pure.
func (w Wish) Choose(look Look) (names []string, left []Left) {
	for _, name := range Renewable() {
		i := slices.IndexFunc(look.Rows, func(r Row) bool { return r.Name == name })
		if len(w.Names) > 0 && !slices.Contains(w.Names, name) || i < 0 {
			continue
		}
		if why := w.leave(look.Rows[i]); why != "" {
			left = append(left, Left{name, why})
			continue
		}
		names = append(names, name)
	}
	return names, left
}

// leave says why a certificate is not renewed; empty if it is.
func (w Wish) leave(r Row) string {
	switch {
	case r.ManagedBy == External || r.ExternallyManaged:
		return "the key of its authority is not on the host"
	case r.IsMissing:
		return "it is not there"
	case r.CannotRead != "":
		return "it cannot be read: " + r.CannotRead
	case slices.ContainsFunc(r.Faults, mended):
		return ""
	case !w.Force && r.Expires != nil && r.Expires.Sub(w.Now) > w.Period-fresh:
		return "it was renewed within the last day"
	}
	return ""
}

// mended reports whether a fault is of the kind that a renewal mends; modes of files stay.
func mended(fault string) bool { return !strings.HasSuffix(fault, readable) }

// Restarts are the programs that have to be restarted for what lies on the disk to be used,
// by the names of their rows: of what kubeadm renews, not of a kubelet.
func Restarts(look Look) (names []string) {
	for _, r := range look.Rows {
		if r.stale() && slices.Contains(Renewable(), r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// Renewed says what is wrong after a renewal; nothing if each certificate that was to be
// renewed is another one now, lasts at least as long, is valid for the same names, and is
// signed and matched as it should be.
func Renewed(before, after Look, names []string) (wrong []string) {
	for _, name := range names {
		old, now := rowOf(before, name), rowOf(after, name)
		switch {
		case now == nil || now.Certificate == nil:
			wrong = append(wrong, name+" cannot be read any more")
			continue
		case slices.ContainsFunc(now.Faults, mended):
			wrong = append(wrong, name+": "+strings.Join(now.Faults, "; "))
			continue
		case old == nil || old.Certificate == nil:
			continue
		case old.Certificate.Fingerprint == now.Certificate.Fingerprint:
			wrong = append(wrong, name+" is the same as before")
			continue
		case now.Certificate.NotAfter.Before(old.Certificate.NotAfter):
			wrong = append(wrong, fmt.Sprintf("%s ends on %s, before the earlier one", name, now.Certificate.NotAfter.Format(time.DateTime)))
		}
		for _, n := range old.Certificate.Names {
			if !slices.Contains(now.Certificate.Names, n) {
				wrong = append(wrong, name+" is not valid for "+n+" any more")
			}
		}
	}
	return wrong
}

// Untouched reports whether each of some certificates is the one that it was.
func Untouched(before, after Look, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		old, now := rowOf(before, name), rowOf(after, name)
		return old == nil || old.Certificate == nil || now == nil || now.Certificate == nil ||
			old.Certificate.Fingerprint != now.Certificate.Fingerprint
	})
}

// Changed are those of some certificates that are others now, or are not whole: what a
// renewal that was interrupted has begun.
func Changed(before, after Look, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		now := rowOf(after, name)
		return Untouched(before, after, []string{name}) && !slices.ContainsFunc(now.Faults, mended)
	})
}

// Outlived are those of some certificates of which the earlier one has expired by now, while
// the new one is good: to put the earlier one back would help with nothing.
func Outlived(before, after Look, names []string, now time.Time) (stay []string) {
	for _, name := range names {
		old := rowOf(before, name)
		if old != nil && old.Certificate != nil && !now.Before(old.Certificate.NotAfter) && len(Renewed(before, after, []string{name})) == 0 {
			stay = append(stay, name)
		}
	}
	return stay
}

// Seen are the fingerprints of a host's certificates, by name.
func Seen(look Look) map[string]string {
	seen := map[string]string{}
	for _, r := range look.Rows {
		if r.Certificate != nil && slices.Contains(Renewable(), r.Name) {
			seen[r.Name] = r.Certificate.Fingerprint
		}
	}
	return seen
}

// Undone are those of some certificates that are the ones that were seen, or are not whole:
// the others were renewed since. It asks no clock, of which each host has its own.
func Undone(seen map[string]string, now Look, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		row := rowOf(now, name)
		return seen[name] != "" && row != nil && row.Certificate != nil && row.Certificate.Fingerprint != seen[name] &&
			!slices.ContainsFunc(row.Faults, mended)
	})
}

// Kept is the row of a certificate as a file has it, enough for Renewed to compare with; is
// is false of a file without a certificate.
func Kept(name, file string, content []byte) (row Row, is bool) {
	if path.Ext(file) == ".conf" {
		k, err := ParseKubeconfig(content)
		if err != nil {
			return Row{}, false
		}
		content = k.Certificate
	}
	row = Row{Name: name, Where: file}
	return row, len(row.take(content)) > 0
}

// RenewedFiles are those that kubeadm writes when it renews a certificate (kubeadm,
// app/phases/certs/renewal), with the directory of certificates that it is told.
func RenewedFiles(dir, name string) []string {
	if path.Ext(name) == ".conf" {
		return []string{path.Join(configDir, name)}
	}
	file := name
	if rest, is := strings.CutPrefix(name, "etcd-"); is {
		file = "etcd/" + rest
	}
	return []string{path.Join(dir, file+".crt"), path.Join(dir, file+".key")}
}

const (
	// RenewalJournal is the file, in the directory of certificates, that is there while a
	// renewal has begun and is not proved.
	RenewalJournal = ".kubectl-lifecycle-renewal.json"
	// RenewalUnit is the unit of the host in which a renewal works.
	RenewalUnit = "kubectl-lifecycle-certs.service"
	// RenewalSnapshot is the file of a backup that has what was in etcd.
	RenewalSnapshot = "etcd.db"
)

func rowOf(look Look, name string) *Row {
	i := slices.IndexFunc(look.Rows, func(r Row) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &look.Rows[i]
}

// Renewal is what a host is told.
type Renewal struct {
	Layout
	// Names are the certificates that are renewed. Programs that use an earlier one are
	// restarted in any case.
	Names []string `json:"names,omitempty"`
	// Wish is from what they were chosen: where a renewal that was interrupted had to be
	// finished first, the host chooses by itself what is left.
	Wish Wish `json:"wish"`
	// Seen are the fingerprints from which they were chosen: what is another one by now was
	// renewed since, and is not renewed again, also with Force.
	Seen map[string]string `json:"seen,omitempty"`
	// Members is how many members etcd has to have; zero where etcd has hosts of its own.
	Members int `json:"members,omitempty"`
	// NoSnapshot leaves out the snapshot of etcd.
	NoSnapshot bool `json:"noSnapshot,omitempty"`
}

// Outcome is what a host has done.
type Outcome struct {
	// Backup is where the earlier files are kept on the host.
	Backup string `json:"backup,omitempty"`
	// Snapshot is the size of etcd's snapshot in the backup; zero if there is none.
	Snapshot  int64    `json:"snapshot,omitempty"`
	Renewed   []string `json:"renewed,omitempty"`
	Restarted []string `json:"restarted,omitempty"`
	// Error is why it failed, Hint the way out. Restored says that the earlier certificates
	// are in place and in use again; Changed, that something was changed.
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Restored bool   `json:"restored,omitempty"`
	Changed  bool   `json:"changed,omitempty"`
	// Lost says that the program ended without an outcome: how the host is has to be asked.
	Lost bool `json:"lost,omitempty"`
	// Look is the host afterwards.
	Look Look `json:"look"`
}
