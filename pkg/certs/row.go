// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"slices"
	"strings"
	"time"
)

// Status is what is said of a row in a word.
type Status string

// The statuses, the worst first.
const (
	// Expired: it has ended.
	Expired Status = "expired"
	// NotYet: it begins later.
	NotYet Status = "not yet valid"
	// Wrong: it is not signed by its authority, its key is another, or the like.
	Wrong Status = "wrong"
	// Denied: a request for a certificate was denied, or failed.
	Denied Status = "denied"
	// Unread: there is something that cannot be read as a certificate.
	Unread Status = "unread"
	// Missing: it is not there, and ought to be.
	Missing Status = "missing"
	// Stale: another one is served than lies on the disk.
	Stale Status = "stale"
	// Critical and Expiring: it ends within the limits.
	Critical Status = "critical"
	Expiring Status = "expiring"
	// Pending: a request for a certificate waits.
	Pending Status = "pending"
	// Absent: it is not there, and need not be.
	Absent Status = "absent"
	// OK: nothing is to be done.
	OK Status = "ok"
)

// Who renews a certificate.
const (
	ByKubeadm  = "kubeadm"
	ByKubelet  = "kubelet"
	External   = "external"
	ByYou      = "you"
	NotRenewed = "-"
)

// Row is one certificate, or one that should be there.
type Row struct {
	// Node is the one on whose host it is; empty where it is the cluster's, or yours.
	Node string `json:"node,omitempty"`
	// Name is kubeadm's name of it where it has one, and the file's otherwise.
	Name string `json:"name"`
	// Authority is true of the certificate of an authority.
	Authority bool `json:"authority,omitempty"`
	// Where is the path of its file, or the address that serves it.
	Where string `json:"where,omitempty"`
	// Certificate is nil where there is none, or none that can be read.
	Certificate *Certificate `json:"certificate,omitempty"`
	// Expires is when it ends: that of Certificate, or what its owner says of it.
	Expires *time.Time `json:"expires,omitempty"`
	// CA is the name of the authority that has signed it.
	CA        string `json:"ca,omitempty"`
	ManagedBy string `json:"managedBy"`
	// ExternallyManaged is true where the key of the authority is not on the host
	// (kubeadm's word and meaning).
	ExternallyManaged bool `json:"externallyManaged,omitempty"`
	// IsMissing says that the file is not there, Optional that it need not be.
	IsMissing bool `json:"missing,omitempty"`
	Optional  bool `json:"optional,omitempty"`
	// CannotRead is why it could not be read.
	CannotRead string `json:"cannotRead,omitempty"`
	// Served is what a server presents that has its certificate from this file.
	Served *Served `json:"served,omitempty"`
	// Faults are what is wrong with it, Notes what could not be proved or is good to know.
	Faults []string `json:"faults,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	// Request is the status of a request; empty for a certificate.
	Request Status `json:"request,omitempty"`
	// Status and Residual are set by Judge.
	Status   Status `json:"status"`
	Residual int64  `json:"residualSeconds,omitempty"`
}

// Served is what a server presents.
type Served struct {
	// At is its address.
	At string `json:"at"`
	// Certificate is nil where it did not answer; Why is the reason.
	Certificate *Certificate `json:"certificate,omitempty"`
	Why         string       `json:"why,omitempty"`
	// Before says that the program was started before the file was written, and does not
	// read it again: what it uses is an earlier certificate.
	Before bool `json:"before,omitempty"`
}

// Limits are how long before its end a certificate is told.
type Limits struct{ Warn, Critical time.Duration }

// set puts a certificate into a row.
func (r *Row) set(c Certificate) {
	r.Certificate, r.Expires = &c, &c.NotAfter
}

// Of is a row of a certificate.
func (r Row) Of(c Certificate) Row {
	r.set(c)
	return r
}

// stale reports whether a server uses another certificate than lies on the disk.
func (r Row) stale() bool {
	s := r.Served
	return s != nil && (s.Before || s.Certificate != nil && r.Certificate != nil && s.Certificate.Fingerprint != r.Certificate.Fingerprint)
}

// judge is the status of a row.
func (r Row) judge(now time.Time, limits Limits) Status {
	switch {
	case r.Request != "":
		return r.Request
	case r.IsMissing && r.Optional:
		return Absent
	case r.IsMissing:
		return Missing
	case r.CannotRead != "":
		return Unread
	case r.Expires == nil && len(r.Faults) > 0:
		return Wrong
	case r.Expires == nil:
		return Unread
	case !now.Before(*r.Expires):
		return Expired
	case r.Certificate != nil && now.Before(r.Certificate.NotBefore):
		return NotYet
	case len(r.Faults) > 0:
		return Wrong
	case r.stale():
		return Stale
	}
	return limits.of(r.Expires.Sub(now))
}

// of is the status of a certificate that has so much time left.
func (l Limits) of(left time.Duration) Status {
	switch {
	case left <= l.Critical:
		return Critical
	case left <= l.Warn:
		return Expiring
	}
	return OK
}

// Judge sets the status of each row, and what is left of its time.
func Judge(rows []Row, now time.Time, limits Limits) {
	for i := range rows {
		rows[i].Status = rows[i].judge(now, limits)
		rows[i].Residual = 0
		if rows[i].Expires != nil {
			rows[i].Residual = int64(rows[i].Expires.Sub(now) / time.Second)
		}
	}
}

// Bad reports whether something is to be done about a row.
func (r Row) Bad() bool { return r.Status != OK && r.Status != Absent }

// Unseen is what a check could not look at, and why.
type Unseen struct {
	What string `json:"what"`
	Why  string `json:"why"`
	// Asked is true of what a person has asked for: without it the check is not whole.
	Asked bool `json:"asked,omitempty"`
}

// Result is what a check has found.
type Result struct {
	Rows   []Row    `json:"certificates"`
	Unseen []Unseen `json:"unseen,omitempty"`
}

// Bad are the rows about which something is to be done.
func (r Result) Bad() []Row {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return !row.Bad() })
}

// Sort puts rows in the order of a table: the cluster's first, then node by node; of each
// the authorities first.
func Sort(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		if c := strings.Compare(a.Node, b.Node); c != 0 {
			return c
		}
		if a.Authority != b.Authority {
			if a.Authority {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
}
