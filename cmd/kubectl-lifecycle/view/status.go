// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/status"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// fewNodes is how many nodes are shown one by one; of more, those with a reason.
const fewNodes = 20

// Status writes how a network is, on one screen; wide shows every node and every
// range.
func Status(s *Sheet, st status.Status, wide bool) error {
	_ = s.Table(statusRows(st)) // the sheet keeps the error
	if wide {
		_ = s.Line("")
		_ = s.Table(rangeRows(st.Ranges))
	}
	if rows, more := nodeRows(st, wide); len(rows) > 1 || more > 0 {
		_ = s.Line("")
		if len(rows) > 1 {
			_ = s.Table(rows)
		}
		if more > 0 {
			_ = s.Line("and %s without a fault (-o wide shows them)", text.Count(more, "more node"))
		}
	}
	if len(st.Findings) > 0 {
		_ = s.Line("")
		_ = s.Line("FINDINGS")
		_ = Findings(s, st.Findings)
	}
	return s.Err
}

// statusRows are the lines above the nodes.
func statusRows(st status.Status) [][]string {
	var rows [][]string
	add := func(title string, words ...string) {
		if text := strings.Join(words, ""); text != "" {
			rows = append(rows, []string{title, text})
		}
	}
	if len(st.Networks) == 0 {
		add("Network", "none")
	}
	for _, n := range st.Networks {
		add("Network", strings.TrimSpace(n.CNI+" "+n.Version), " (daemonset ", n.Namespace, "/", n.DaemonSet, ")")
		add("Managed by", n.Manager)
		add("Agents", n.Agents.String(), " ready")
		for _, i := range n.Images {
			add("Image", i.Image, " (", CountPods(i.Pods), ")")
		}
	}
	add("Nodes", st.Ready.String(), " Ready")
	for _, r := range st.Ranges {
		if r.What == "pods" || r.What == "Services" {
			add(strings.ToUpper(r.What[:1])+r.What[1:], cidr.List(r.CIDRs), choose(r.What == "pods", " ("+st.Consistent+")", ""))
		}
	}
	add("Addresses", fmt.Sprintf("%d of %d pods have one of the network's", st.Pods.Inside, st.Pods.Networked))
	add("kube-proxy", choose(st.Proxy.Present, cmp.Or(st.Proxy.Mode, "iptables (its default)"), "none"))
	if st.DNS.Name != "" {
		add("CoreDNS", fmt.Sprintf("%d of %d available", st.DNS.Available, st.DNS.Desired))
	}
	return rows
}

// nodeRows are the lines of the nodes, and how many are left out.
func nodeRows(st status.Status, wide bool) (rows [][]string, more int) {
	rows = [][]string{{"NODE", "AGENT", "POD-CIDR", "CONFLIST", "REASON"}}
	if wide {
		rows[0] = []string{"NODE", "AGENT", "POD-CIDR", "CONFLIST", "KERNEL", "RUNTIME", "REASON"}
	}
	for _, n := range st.Nodes {
		if !wide && len(st.Nodes) > fewNodes && n.Reason == "" {
			more++
			continue
		}
		row := []string{Name(n.Name), n.Agent, cmp.Or(cidr.List(n.PodCIDRs), "-"), cmp.Or(n.Conflist, "-")}
		if wide {
			row = append(row, n.Kernel, n.Runtime)
		}
		rows = append(rows, append(row, n.Reason))
	}
	return rows, more
}

// rangeRows is the map of the cluster's addresses.
func rangeRows(spans []finding.Span) [][]string {
	rows := [][]string{{"RANGE", "CIDR", "FROM", "OVERLAPS"}}
	for _, r := range spans {
		list := r.CIDRs
		remark := ""
		if most := 8; len(list) > most {
			list, remark = list[:most], fmt.Sprintf(" and %d more", len(r.CIDRs)-most)
		}
		rows = append(rows, []string{r.What, cidr.List(list) + remark, r.Source, cmp.Or(strings.Join(r.Overlaps, ", "), "-")})
	}
	return rows
}
