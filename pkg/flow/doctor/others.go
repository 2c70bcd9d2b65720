// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// podLimit is how old a pod may become that asks a host one thing.
const podLimit = time.Hour

// noNetwork is NET001: there is no pod network at all.
func noNetwork(s Seen) []finding.Finding {
	if len(s.Network.Networks) > 0 {
		return nil
	}
	return []finding.Finding{{ID: "NET001", Severity: finding.Error, What: "the cluster has no pod network",
		Evidence: "no DaemonSet is one of a network that is known", Cure: "kubectl lifecycle cni install NAME"}}
}

// noDNS is DNS001: there is no CoreDNS. One without a pod is a finding of the network.
func noDNS(s Seen) []finding.Finding {
	if s.Network.DNS.Name != "" {
		return nil
	}
	return []finding.Finding{{ID: "DNS001", Severity: finding.Error, What: "there is no CoreDNS: no name is resolved in pods",
		Evidence: "no deployment of label k8s-app=kube-dns in kube-system", Cure: "on a control plane: kubeadm init phase addon coredns"}}
}

// certificates are CERT001 to CERT004, of the rows of certs check.
func certificates(s Seen) (all []finding.Finding) {
	for _, row := range s.Certificates.Bad() {
		f := finding.Finding{ID: "CERT003", Severity: finding.Error, Cure: "kubectl lifecycle certs check -o wide",
			What:     strings.TrimSpace(row.Node+" "+row.Name) + ": the certificate is " + string(row.Status),
			Evidence: row.Where}
		if row.Node != "" {
			f.Nodes = []string{row.Node}
		}
		if row.Expires != nil {
			f.Evidence += ", expires " + row.Expires.UTC().Format("2006-01-02 15:04")
		}
		if why := slices.Concat(row.Faults, []string{row.CannotRead}); strings.Join(why, "") != "" {
			f.Evidence += ": " + text.Brief(strings.Join(why, "; "))
		}
		switch row.Status { //nolint:exhaustive // the others are wrong, as is said
		case certs.Expired:
			f.ID = "CERT001"
		case certs.Critical, certs.Expiring:
			f.ID, f.Severity = "CERT002", finding.Warning
		case certs.Pending, certs.Denied:
			f.ID, f.Severity = "CERT004", finding.Warning
			f.What = strings.TrimSpace(row.Node+" "+row.Name) + ": a request for a certificate is " + string(row.Status)
			f.Cure = "kubectl lifecycle certs approve --dry-run"
		}
		if row.ManagedBy == certs.ByKubeadm {
			f.Cure = "kubectl lifecycle certs renew all --dry-run"
		}
		f.Evidence = cmp.Or(strings.TrimPrefix(f.Evidence, ", "), "certs check")
		all = append(all, f)
	}
	return all
}

// tokens are TOKEN001 and TOKEN002: bootstrap tokens with which no host can join, and
// those with which any can for ever.
func tokens(s Seen) (all []finding.Finding) {
	for _, t := range s.Tokens {
		revoke := text.Command("kubectl", "lifecycle", "join", "revoke", t.ID) + text.Choose(t.Foreign, " --yes", "")
		switch {
		case t.Unfit != "":
			all = append(all, finding.Finding{ID: "TOKEN001", Severity: finding.Note, What: "bootstrap token " + t.ID + " cannot be used",
				Evidence: t.Unfit, Cure: revoke})
		case t.Expires.IsZero():
			all = append(all, finding.Finding{ID: "TOKEN002", Severity: finding.Warning,
				What:     "bootstrap token " + t.ID + " never expires: anyone who has it can join a host",
				Evidence: "secret kube-system/bootstrap-token-" + t.ID,
				Cure:     revoke})
		}
	}
	return all
}

// records are RUN001 to RUN003: runs that wait for a person, that have ended and left
// their record, and records that cannot be relied on.
func records(s Seen) (all []finding.Finding) {
	for _, rec := range s.Records {
		state := rec.State
		f := finding.Finding{Severity: finding.Warning, Evidence: "secret " + rec.Namespace + "/" + rec.Name, Nodes: []string{state.Node}}
		follow := text.Command("kubectl", "lifecycle", "runs", "follow", state.Node)
		abort := text.Command("kubectl", "lifecycle", "runs", "abort", state.Node)
		switch {
		case rec.Damaged != nil:
			f.ID, f.Nodes = "RUN003", nil
			f.What = text.Brief(rec.Damaged.Error())
			f.Cure = cmp.Or(plan.HintOf(rec.Damaged), "look at the Secret; delete it if no run is under way")
		case state.Phase == wire.Waiting:
			f.ID = "RUN001"
			f.What = fmt.Sprintf("the %s of node %s waits for you: %s", state.Operation, state.Node, text.Brief(state.Error))
			f.Cure = "remove the cause and run the same command again; or: " + abort
		default:
			f.ID, f.Severity = "RUN002", finding.Note
			f.What = fmt.Sprintf("node %s is held by a run: %s", state.Node, text.Brief(state.Describe()))
			f.Cure = follow + "; if it was interrupted: " + abort
		}
		all = append(all, f)
	}
	return all
}

// strayPods is RUN004: pods through which hosts are worked on and that nothing needs any
// more: those of a run have its record, the others last minutes.
func strayPods(s Seen) (all []finding.Finding) {
	for i := range s.RunPods {
		pod := &s.RunPods[i]
		of := slices.ContainsFunc(s.Records, func(rec runner.Record) bool { return rec.Name == pod.Name })
		if of || s.At.Sub(pod.CreationTimestamp.Time) < podLimit {
			continue
		}
		all = append(all, finding.Finding{ID: "RUN004", Severity: finding.Warning, Nodes: []string{pod.Spec.NodeName},
			What:     fmt.Sprintf("pod %s/%s was left by an interrupted command", pod.Namespace, pod.Name),
			Evidence: "made at " + pod.CreationTimestamp.UTC().Format("2006-01-02 15:04:05") + ", and no run is of its name",
			Cure:     text.Command("kubectl", "-n", pod.Namespace, "delete", "pod", pod.Name)})
	}
	return all
}

// notedCordons is RUN005: nodes that this tool made unschedulable, and that no run holds.
func notedCordons(s Seen) (all []finding.Finding) {
	for i := range s.Nodes {
		node := &s.Nodes[i]
		note, ours := drain.NoteOf(node)
		running := slices.ContainsFunc(s.Records, func(rec runner.Record) bool { return rec.State.Node == node.Name })
		if !ours || running || !node.Spec.Unschedulable {
			continue
		}
		all = append(all, finding.Finding{ID: "RUN005", Severity: finding.Note, Nodes: []string{node.Name},
			What: "node " + node.Name + " is cordoned by this tool, and no run holds it", Evidence: text.Brief(note.String()),
			Cure: "when the work there is done: " + text.Command("kubectl", "lifecycle", "uncordon", node.Name)})
	}
	return all
}

// held is RUN006: the lock on all control planes.
func held(s Seen) []finding.Finding {
	if s.Held == "" {
		return nil
	}
	return []finding.Finding{{ID: "RUN006", Severity: finding.Note, What: "the control planes are locked: " + s.Held,
		Evidence: "the lock on all control planes is a Secret",
		Cure:     "wait until that has ended; if it was interrupted, run it again; it continues where it was"}}
}

// switching is RUN007: a switch of networks that has not ended.
func switching(s Seen) []finding.Finding {
	if s.Switch == nil {
		return nil
	}
	return []finding.Finding{{ID: "RUN007", Severity: finding.Warning,
		What:     fmt.Sprintf("a switch of the network from %s to %s has not ended", s.Switch.From, s.Switch.To),
		Evidence: fmt.Sprintf("configmap kube-system/%s: the next phase is %s", netswitch.Name, s.Switch.Phase),
		Cure:     "go on: " + text.Command("kubectl", "lifecycle", "cni", "switch", s.Switch.To)}}
}
