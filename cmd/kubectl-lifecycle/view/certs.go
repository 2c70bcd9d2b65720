// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/servingcerts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// fewKubelets is how many certificates of kubelets, with which all is well, have a line each
// unless all are asked for.
const fewKubelets = 20

// Certificates writes the table of certificates, what is wrong with which, and what could
// not be looked at.
func Certificates(s *Sheet, result certs.Result, wide bool) error {
	rows := [][]string{{"NODE", "CERTIFICATE", "EXPIRES", "RESIDUAL", "CA", "MANAGED-BY", "STATUS"}}
	if wide {
		rows[0] = append(rows[0], "WHERE", "SERIAL", "KEY", "NAMES")
	}
	shown, left := shownCertificates(result.Rows, wide)
	for _, r := range shown {
		row := []string{dash(r.Node), r.Name, expires(r), residual(r), dash(r.CA), r.ManagedBy, certificateStatus(r)}
		if wide {
			row = append(row, wideCertificate(r)...)
		}
		rows = append(rows, row)
	}
	_ = s.Table(rows) // the sheet keeps the error
	if left > 0 {
		_ = s.Line("and %s of kubelets, ok (-o wide shows them)", text.Count(left, "more certificate"))
	}
	certificateDetails(s, result.Rows, wide)
	if len(result.Unseen) > 0 {
		_ = s.Line("")
		_ = s.Line("NOT SEEN")
		for _, u := range result.Unseen {
			_ = s.Line("  %s: %s", u.What, u.Why)
		}
	}
	return s.Err
}

// shownCertificates leaves out kubelets with which all is well, where there are many.
func shownCertificates(all []certs.Row, wide bool) (shown []certs.Row, left int) {
	kubelets := 0
	for _, r := range all {
		if !wide && r.ManagedBy == certs.ByKubelet && r.Status == certs.OK {
			if kubelets++; kubelets > fewKubelets {
				left++
				continue
			}
		}
		if !wide && r.Status == certs.Absent {
			continue
		}
		shown = append(shown, r)
	}
	return shown, left
}

// certificateDetails writes what is wrong, and with wide also what is noted.
func certificateDetails(s *Sheet, all []certs.Row, wide bool) {
	first := true
	tell := func(r certs.Row, what string) {
		if first {
			_ = s.Line("")
			_ = s.Line("DETAILS")
			first = false
		}
		_ = s.Line("  %s %s: %s", dash(r.Node), r.Name, what)
	}
	for _, r := range all {
		if r.CannotRead != "" {
			tell(r, r.Where+": "+r.CannotRead)
		}
		for _, f := range r.Faults {
			tell(r, f)
		}
		if wide || r.Request != "" {
			for _, n := range r.Notes {
				tell(r, n)
			}
		}
	}
}

func wideCertificate(r certs.Row) []string {
	if r.Certificate == nil {
		return []string{dash(r.Where), "-", "-", "-"}
	}
	return []string{dash(r.Where), r.Certificate.Serial, r.Certificate.Key, dash(strings.Join(r.Certificate.Names, ","))}
}

// certificateStatus is the status in words; where another certificate is served than lies
// on the disk, both are told.
func certificateStatus(r certs.Row) string {
	if r.Status != certs.Stale {
		return string(r.Status)
	}
	disk := "on disk until " + expires(r)
	if r.Served.Certificate == nil {
		return disk + ", an earlier one is in use"
	}
	return disk + ", served until " + day(r.Served.Certificate.NotAfter)
}

func expires(r certs.Row) string {
	if r.Expires == nil {
		return "-"
	}
	return day(*r.Expires)
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// residual is what is left of a certificate's time, as kubeadm writes it.
func residual(r certs.Row) string {
	if r.Expires == nil {
		return "-"
	}
	d := time.Duration(r.Residual) * time.Second
	switch sign := choose(d < 0, "-", ""); {
	case d.Abs() >= 48*time.Hour:
		return fmt.Sprintf("%s%dd", sign, int(d.Abs().Hours())/24)
	case d.Abs() >= 2*time.Hour:
		return fmt.Sprintf("%s%dh", sign, int(d.Abs().Hours()))
	}
	return d.Round(time.Second).String()
}

// Requests writes what was decided about the requests of kubelets.
func Requests(s *Sheet, all []servingcerts.Request) error {
	if len(all) == 0 {
		return s.Line("no kubelet waits for a serving certificate")
	}
	rows := [][]string{{"REQUEST", "NODE", "FOR", "DECISION", "REASON"}}
	for _, r := range all {
		decision := choose(r.Approved, "approved", choose(r.Why == "", "may be approved", "not approved"))
		rows = append(rows, []string{Name(r.Name), dash(r.Node), strings.Join(r.Names, ","), decision, dash(r.Why)})
	}
	return s.Table(rows)
}

func dash(s string) string { return choose(s == "", "-", s) }
