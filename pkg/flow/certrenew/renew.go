// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// usualPeriod is how long kubeadm's certificates are valid unless it is told otherwise.
const usualPeriod = 365 * 24 * time.Hour

// Renewal is one that has been decided, and can be shown and run.
type Renewal struct {
	Hosts []Host
	// Outcomes are what the hosts have done, by node.
	Outcomes map[string]certs.Outcome
	// NoSnapshot leaves out the snapshot of etcd.
	NoSnapshot bool

	cluster runner.Cluster
	facts   Facts
	wish    certs.Wish
	who     string
	lock    *runner.PlaneLock
	// look asks a host; atWork is the node of a host whose unit may be at work while this
	// command ends.
	look   func(ctx context.Context, node *corev1.Node) (certs.Look, error)
	atWork string
}

// Read reads the control planes and asks their hosts. Each has to answer.
func Read(ctx context.Context, cluster runner.Cluster, report plan.Report) (Facts, error) {
	f := Facts{Period: usualPeriod}
	if err := access.Require(ctx, cluster.Client, access.Carrier(cluster.RunNamespace())); err != nil {
		return f, err
	}
	nodes, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	if err != nil {
		return f, err
	}
	if f.Nodes, err = certcheck.Choose(nodes, false); err != nil {
		return f, err
	}
	cm, err := cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err != nil {
		return f, fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	var config struct {
		CertificatesDir string          `json:"certificatesDir"`
		Period          metav1.Duration `json:"certificateValidityPeriod"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data["ClusterConfiguration"]), &config); err != nil {
		return f, fmt.Errorf("read configmap kube-system/kubeadm-config: ClusterConfiguration: %w", err)
	}
	f.Dir = config.CertificatesDir
	if config.Period.Duration > 0 {
		f.Period = config.Period.Duration
	}
	for _, n := range f.Nodes {
		report("asking the host of %s", n.Name)
		look, err := certcheck.Ask(ctx, cluster, n, f.Dir)
		if err != nil {
			return f, fmt.Errorf("ask the host of %s: %w", n.Name, err)
		}
		f.Looks = append(f.Looks, look)
	}
	return f, nil
}

// New decides a renewal.
func New(cluster runner.Cluster, facts Facts, wish certs.Wish, who string) (*Renewal, error) {
	wish.Period = facts.Period
	hosts, err := facts.Decide(wish)
	if err != nil {
		return nil, err
	}
	r := &Renewal{Hosts: hosts, Outcomes: map[string]certs.Outcome{}, cluster: cluster, facts: facts, wish: wish, who: who}
	r.look = func(ctx context.Context, node *corev1.Node) (certs.Look, error) {
		return certcheck.Ask(ctx, cluster, node, facts.Dir)
	}
	return r, nil
}

// Idle reports whether nothing is to be done anywhere.
func (r *Renewal) Idle() bool {
	for _, h := range r.Hosts {
		if !h.Idle() {
			return false
		}
	}
	return true
}

// Plan is the renewal, host by host.
func (r *Renewal) Plan() plan.Plan {
	p := plan.Plan{Title: "Renew certificates",
		Steps: []plan.Step{{ID: "lock", Title: "Lock the control planes", Do: r.hold, Undo: r.undo}}}
	for i := range r.Hosts {
		h := &r.Hosts[i]
		for _, l := range h.Left {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: %s is left as it is: %s", h.Node.Name, l.Name, l.Why))
		}
		if h.Idle() {
			p.Notes = append(p.Notes, h.Node.Name+": nothing to do")
			continue
		}
		p.Steps = append(p.Steps, plan.Step{ID: "renew/" + h.Node.Name, Title: title(*h),
			Do: func(ctx context.Context, report plan.Report) error {
				return r.lock.Keep(ctx, func(ctx context.Context) error { return r.renew(ctx, *h, report) })
			}})
	}
	if r.Idle() {
		p.Steps = nil // nothing is held for nothing
		return p
	}
	p.Steps = append(p.Steps, plan.Step{ID: "release", Title: "Unlock the control planes",
		Do: func(ctx context.Context, _ plan.Report) error { return r.Release(ctx) }})
	if slices.ContainsFunc(r.Hosts, func(h Host) bool { return len(h.Names) > 0 && len(h.before.Etcd) > 0 }) {
		p.Notes = append(p.Notes, r.ofSnapshots())
	}
	p.Notes = append(p.Notes, "the API server and etcd read their own certificates again by themselves, and are restarted only if they do "+
		"not; the controller manager and the scheduler are restarted")
	return p
}

// ofSnapshots says what is kept of etcd.
func (r *Renewal) ofSnapshots() string {
	if r.NoSnapshot {
		return "no snapshot of etcd is taken"
	}
	return "on each host, a snapshot of etcd is taken first; it holds every Secret, and is kept for root in " + inventory.BackupDir
}

func title(h Host) string {
	switch {
	case h.Unfinished:
		return fmt.Sprintf("On %s, finish or undo an interrupted renewal, then renew what is left", h.Node.Name)
	case len(h.Names) == 0:
		return fmt.Sprintf("On %s, restart what uses an earlier certificate: %s", h.Node.Name, strings.Join(h.Restarts, ", "))
	}
	return fmt.Sprintf("On %s, renew %s", h.Node.Name, strings.Join(h.Names, ", "))
}

func (r *Renewal) hold(ctx context.Context, report plan.Report) (err error) {
	r.lock, err = r.cluster.LockControlPlanes(ctx, runner.Renewing, r.who, report)
	return err
}

// Release gives the lock on the control planes back; it may be called again. It keeps it while
// the unit of a host may be at work: the next renewal takes it over.
func (r *Renewal) Release(ctx context.Context) error {
	if r.atWork != "" {
		return nil
	}
	return r.lock.Release(ctx)
}

func (r *Renewal) undo(ctx context.Context) error {
	if r.atWork != "" {
		return plan.ErrKept
	}
	return r.Release(ctx)
}

// renew has one host do it. Where the connection ends on the way, the host goes on by
// itself: it is asked again what has become of it.
func (r *Renewal) renew(ctx context.Context, h Host, report plan.Report) error {
	if err := r.stillWell(ctx); err != nil {
		return err
	}
	if err := r.allReady(ctx, h, report); err != nil {
		return err
	}
	members := 0
	if len(h.before.Etcd) > 0 {
		members = len(r.facts.Nodes)
	}
	input, err := json.Marshal(certs.Renewal{Layout: certs.Layout{Dir: r.facts.Dir, ControlPlane: true}, Names: h.Names, Wish: r.wish,
		Seen: certs.Seen(h.before), Members: members, NoSnapshot: r.NoSnapshot})
	if err != nil {
		return fmt.Errorf("encode the order: %w", err)
	}
	raw, err := runner.RunOnce(ctx, r.cluster, h.Node, runner.Question{Operation: wire.RenewCertificates, Input: input}, report)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return r.interrupted(ctx, h.Node.Name)
	default: // where a stream ends tells nothing of what the host has begun
		report("no answer (%s); asking the host what has become of it", text.Brief(err.Error()))
		return r.ask(ctx, h, err, report)
	}
	var out certs.Outcome
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("decode what the host of %s has done: %w", h.Node.Name, err)
	}
	if out.Lost {
		report("no outcome (%s); asking the host what has become of it", text.Brief(out.Error))
		return r.ask(ctx, h, errors.New(text.Brief(out.Error)), report)
	}
	r.Outcomes[h.Node.Name] = out
	if err := failure(out, h.Node.Name); err != nil {
		return err
	}
	if out.Backup != "" {
		report("the earlier certificates are in %s there", text.Line(out.Backup))
	}
	if out.Snapshot > 0 {
		report("with a snapshot of etcd: %s, %d MiB", certs.RenewalSnapshot, (out.Snapshot+1<<20-1)>>20)
	}
	if len(out.Restarted) > 0 {
		report("restarted: %s", text.Line(strings.Join(out.Restarted, ", ")))
	}
	return nil
}

// failure is the error of what a host has done; nil if it has done all of it.
func failure(out certs.Outcome, node string) error {
	if out.Error == "" {
		return nil
	}
	err := fmt.Errorf("the host of %s: %s", node, text.Line(out.Error))
	hint := wire.Advice(node, text.Line(out.Hint))
	switch {
	case !out.Changed:
		return plan.Refuse(err, "%s", hint)
	case out.Restored:
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("%w; the earlier certificates are in place there, and in use again", err), "%s", hint))
	}
	return plan.As(plan.Broken, plan.Hint(err, "%s", hint))
}
