// SPDX-License-Identifier: Apache-2.0

// Package joindate tells when a host joined its cluster, by the files that a join makes, and
// when that cannot be told: the births of files that were copied, from a backup or to another
// disk, are the copy's, and a clock may have been wrong. It is pure.
package joindate

import (
	"cmp"
	"path"
	"slices"
	"time"
)

// File is one that a join makes.
type File struct {
	Path string
	// Born is when it was made and Written when it was last written; the same where the file
	// system keeps no births.
	Born, Written time.Time
	// Place is the youngest birth of the directories that it is in; zero if that tells nothing.
	Place time.Time
}

// Certificate is one of the kubelet's, which has the time at which it was written in its name
// (k8s.io/client-go, util/certificate/certificate_store.go: in the host's own time zone).
// Valid is the time before which it is not valid, by the clock of the cluster that signed it.
type Certificate struct{ Named, Born, Valid time.Time }

// Traces are what a host tells of its join. What is not known is zero.
type Traces struct {
	Files        []File
	Certificates []Certificate
	// MachineID is when this machine got its id, HostKeys when it got the oldest of its ssh keys,
	// and SSHD when the ssh server came, which makes such keys at first.
	MachineID, HostKeys, SSHD time.Time
	// Registered is when the API server made this host's Node, by its own clock.
	Registered time.Time
	// Now is by the host's clock.
	Now time.Time
}

// Date is when a host joined; zero if nothing tells. Void says why what tells contradicts
// itself, so that nothing may be decided by it; it is empty otherwise.
type Date struct {
	At   time.Time
	Void string
}

const (
	// joinTakes is how far apart the files are that one join makes: kubeadm waits up to four
	// minutes for the kubelet between them.
	joinTakes = 15 * time.Minute
	// moment is how exact the times of a file system are.
	moment = 2 * time.Second
	// zones is more than two time zones are apart.
	zones = 27 * time.Hour
	// skew is how far apart honest clocks are: a certificate is valid from five minutes before it
	// was signed for that reason (kubernetes/kubernetes, pkg/controller/certificates/signer/signer.go).
	skew = 5 * time.Minute
)

// authority is the file of a join that may have been distributed before, with its times.
const authority = "ca.crt"

// Of tells when a host joined.
func Of(t Traces) Date {
	at := first(t.Files)
	if at.IsZero() {
		return Date{}
	}
	if why := contradiction(t, at); why != "" {
		return Date{Void: why}
	}
	return Date{At: at}
}

// first is when a host joined, by the births of the files that a join makes: the first of
// which another one follows soon. One alone may be older, a ca.crt that was distributed
// before (kubeadm's guide for several control planes), or younger, a configuration that was
// edited. Zero if there are none.
func first(files []File) time.Time {
	var births []time.Time
	for _, f := range files {
		if !f.Born.IsZero() {
			births = append(births, f.Born)
		}
	}
	slices.SortFunc(births, time.Time.Compare)
	for i := range births {
		if i+1 < len(births) && births[i+1].Sub(births[i]) <= joinTakes {
			return births[i]
		}
	}
	if len(births) == 0 {
		return time.Time{}
	}
	return births[0]
}

// contradiction says what speaks against a date; empty if nothing does.
func contradiction(t Traces, at time.Time) string {
	return cmp.Or(wrongClock(t, at), twice(t.Files), restored(t, at), cloned(t, at), unlikeTheCluster(t, at))
}

// twice says that the files are of two joins: what was made between them may be of before the
// second, or of after the first.
func twice(files []File) string {
	var births []time.Time
	for _, f := range files {
		if !f.Born.IsZero() {
			births = append(births, f.Born)
		}
	}
	slices.SortFunc(births, time.Time.Compare)
	groups, size := 0, 0
	for i := range births {
		if i > 0 && births[i].Sub(births[i-1]) > joinTakes {
			size = 0
		}
		if size++; size == 2 {
			groups++
		}
	}
	if groups > 1 {
		return "its files were made at two times, as by two joins"
	}
	return ""
}

// wrongClock says that a clock was wrong.
func wrongClock(t Traces, at time.Time) string {
	// kubeadm exists since Kubernetes 1.4.
	if at.Before(time.Date(2016, 9, 1, 0, 0, 0, 0, time.UTC)) {
		return "the clock was wrong when its files were made: there was no kubeadm yet"
	}
	if !t.Now.IsZero() && at.After(t.Now.Add(moment)) {
		return "its files were made after now, by the clock of this host"
	}
	return ""
}

// unlikeTheCluster says that the cluster's clock knows of another time. A Node is younger than
// the join where it was deleted and the kubelet has registered again. It is older where the host
// left by "kubeadm reset" alone and joined again under it: a certificate that the cluster signed
// at that time tells.
func unlikeTheCluster(t Traces, at time.Time) string {
	signed := false
	for _, c := range t.Certificates {
		if c.Valid.IsZero() || c.Born.IsZero() || c.Born.Sub(at).Abs() > joinTakes {
			continue
		}
		if c.Valid.After(c.Born.Add(skew)) {
			return "the clock was wrong when its files were made: the cluster has signed a certificate of the kubelet's later than that"
		}
		signed = signed || c.Born.Sub(c.Valid) <= 2*skew
	}
	if !signed && !t.Registered.IsZero() && at.After(t.Registered.Add(skew)) {
		return "its files were made after the Node: the clock was wrong, or they were copied, from a backup or another disk"
	}
	return ""
}

// restored says that files of the join were copied or moved here.
func restored(t Traces, at time.Time) string {
	if f := copied(t.Files, at); f != "" {
		return f + " is older than its file: it was copied, from a backup or another disk"
	}
	for _, f := range t.Files {
		if !f.Place.IsZero() && near(f, at) && f.Place.After(f.Born.Add(moment)) {
			return f.Path + " is older than the directory that it is in: the clock was changed, or it was moved here"
		}
	}
	for _, c := range t.Certificates {
		if !c.Named.IsZero() && !c.Born.IsZero() && c.Born.Sub(c.Named) > zones {
			return "a certificate of the kubelet's is older than its file: it was copied, from a backup or another disk"
		}
	}
	return ""
}

// cloned says that this machine is another one than that which joined.
func cloned(t Traces, at time.Time) string {
	switch {
	case t.MachineID.After(at.Add(joinTakes)):
		return "the machine has got its id (/etc/machine-id) since: it is a copy of another one"
	case t.HostKeys.After(at.Add(joinTakes)) && !t.SSHD.IsZero() && t.SSHD.Before(at):
		return "the machine has got its ssh keys since: it is a copy of another one, or was installed again"
	}
	return ""
}

// copied is a file that dates the join and was last written before it was made. An authority
// alone is none where two others say the same without it.
func copied(files []File, at time.Time) string {
	var found []string
	honest := 0
	for _, f := range files {
		switch {
		case !near(f, at):
		case f.Written.Before(f.Born.Add(-moment)):
			found = append(found, f.Path)
		default:
			honest++
		}
	}
	if len(found) == 0 || len(found) == 1 && path.Base(found[0]) == authority && honest > 1 {
		return ""
	}
	return found[0]
}

// near reports whether a file was made by the join of that date.
func near(f File, at time.Time) bool {
	return !f.Born.IsZero() && f.Born.Sub(at).Abs() <= joinTakes
}
