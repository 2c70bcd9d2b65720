// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatIsRenewedOnAHost(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	at := begin().Add(300 * 24 * time.Hour)
	for name, c := range map[string]struct {
		change func(h *host)
		wish   Wish
		count  int
		left   string
	}{
		"all":             {nil, Wish{Now: at}, 11, ""},
		"one":             {nil, Wish{Now: at, Names: []string{"apiserver"}}, 1, ""},
		"fresh ones":      {nil, Wish{Now: begin()}, 0, "within the last day"},
		"fresh ones, too": {nil, Wish{Now: begin(), Force: true}, 11, ""},
		"what is not there": {func(h *host) { delete(h.MapFS, "etc/kubernetes/super-admin.conf") }, Wish{Now: at}, 10,
			"super-admin.conf: it is not there"},
		"an external authority": {func(h *host) { delete(h.MapFS, "etc/kubernetes/pki/etcd/ca.key") }, Wish{Now: at}, 7,
			"etcd-peer: the key of its authority is not on the host"},
	} {
		t.Run(name, func(t *testing.T) {
			kept := h.MapFS
			h.MapFS = maps.Clone(h.MapFS)
			defer func() { h.MapFS = kept }()
			if c.change != nil {
				c.change(h)
			}
			c.wish.Period = year
			names, left := c.wish.Choose(Read(h, Layout{ControlPlane: true}))
			var why []string
			for _, l := range left {
				why = append(why, l.Name+": "+l.Why)
			}
			if len(names) != c.count || !strings.Contains(strings.Join(why, "; "), c.left) || len(names)+len(left) == 0 {
				t.Errorf("%q, left %q", names, why)
			}
		})
	}
}

func TestARenewalIsProved(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	before := Read(h, Layout{ControlPlane: true})
	later := func(c *x509.Certificate) {
		c.NotAfter = begin().Add(2 * year)
		c.DNSNames, c.IPAddresses = []string{"kubernetes", "more"}, []net.IP{net.ParseIP("192.0.2.1")}
	}
	for name, c := range map[string]struct {
		change func(h *host)
		want   string
	}{
		"a good one": {func(h *host) { h.pair(pki+"apiserver", h.issue("a", &h.ca, later)) }, ""},
		"nothing":    {func(*host) {}, "the same as before"},
		"another address": {func(h *host) {
			h.pair(pki+"apiserver", h.issue("a", &h.ca, func(c *x509.Certificate) { later(c); c.IPAddresses = nil }))
		}, "not valid for 192.0.2.1 any more"},
		"an earlier end": {func(h *host) {
			h.pair(pki+"apiserver", h.issue("a", &h.ca, func(c *x509.Certificate) { later(c); c.NotAfter = begin().Add(time.Hour) }))
		}, "before the earlier one"},
		"another authority": {func(h *host) { h.pair(pki+"apiserver", h.issue("a", &h.etcd, later)) }, "not signed by its authority"},
		"another key": {func(h *host) {
			h.pair(pki+"apiserver", h.issue("a", &h.ca, later))
			h.put(pki+"apiserver.key", h.ca.keyPEM(), 0o600)
		}, "does not match"},
		"an empty file": {func(h *host) { h.put(pki+"apiserver.crt", nil, 0o644) }, "cannot be read any more"},
	} {
		t.Run(name, func(t *testing.T) {
			kept := h.MapFS
			h.MapFS = maps.Clone(h.MapFS)
			defer func() { h.MapFS = kept }()
			c.change(h)
			wrong := strings.Join(Renewed(before, Read(h, Layout{ControlPlane: true}), []string{"apiserver"}), "; ")
			if (wrong == "") != (c.want == "") || !strings.Contains(wrong, c.want) {
				t.Errorf("%q, want %q", wrong, c.want)
			}
			same := Untouched(before, Read(h, Layout{ControlPlane: true}), []string{"apiserver"})
			if want := name == "nothing"; same != want {
				t.Errorf("untouched: %t", same)
			}
		})
	}
}

func TestWhatHasToBeRestarted(t *testing.T) {
	look := Look{Rows: []Row{{Name: "apiserver", Served: &Served{Before: true}}, {Name: "etcd-peer"},
		{Name: "etcd-server", Served: &Served{Why: "refused"}}, {Name: "kubelet-server", Served: &Served{Before: true}}}}
	if got := Restarts(look); !slices.Equal(got, []string{"apiserver"}) {
		t.Errorf("%q", got)
	}
}

// What was renewed since it was chosen is not renewed again.
func TestWhatIsLeftOfAnOrder(t *testing.T) {
	row := func(fingerprint string, faults ...string) Row {
		return Row{Name: "apiserver", Certificate: &Certificate{Fingerprint: fingerprint}, Faults: faults}
	}
	chosen := Look{Rows: []Row{row("old"), {Name: "kubelet-server", Certificate: &Certificate{Fingerprint: "k"}}}}
	for name, c := range map[string]struct {
		now  Row
		left bool
	}{
		"it is the same":             {row("old"), true},
		"it is another one":          {row("new"), false},
		"it is another one, and bad": {row("new", "its key does not match it"), true},
		"it cannot be read":          {Row{Name: "apiserver"}, true},
	} {
		if left := Undone(Seen(chosen), Look{Rows: []Row{c.now}}, []string{"apiserver"}); (len(left) == 1) != c.left {
			t.Errorf("%s: %q", name, left)
		}
	}
	if left := Undone(nil, Look{Rows: []Row{row("new")}}, []string{"apiserver"}); len(left) != 1 {
		t.Errorf("an order that has seen nothing: %q", left)
	}
	if seen := Seen(chosen); len(seen) != 1 {
		t.Errorf("%q", seen)
	}
}

func TestWhatHasExpiredIsNotPutBack(t *testing.T) {
	now := time.Now()
	look := func(fingerprint string, end time.Time, faults ...string) Look {
		return Look{Rows: []Row{{Name: "apiserver", Certificate: &Certificate{Fingerprint: fingerprint, NotAfter: end}, Faults: faults}}}
	}
	good, valid, expired := look("new", now.Add(year)), look("old", now.Add(time.Hour)), look("old", now.Add(-time.Hour))
	for name, c := range map[string]struct {
		before, after Look
		stays         bool
	}{
		"the earlier one is valid":               {valid, good, false},
		"the earlier one has expired":            {expired, good, true},
		"the new one is bad, too":                {expired, look("new", now.Add(year), "its key does not match it"), false},
		"nothing is known of the earlier one":    {Look{}, good, false},
		"the earlier one has expired, and is in": {expired, expired, false},
	} {
		if stay := Outlived(c.before, c.after, []string{"apiserver"}, now); (len(stay) == 1) != c.stays {
			t.Errorf("%s: %q", name, stay)
		}
	}
}
