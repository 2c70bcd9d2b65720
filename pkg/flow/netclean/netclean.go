// SPDX-License-Identifier: Apache-2.0

package netclean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/wave"
)

// Cleaning is what is taken off which hosts.
type Cleaning struct {
	// Network is the network's name, Agents the beginnings of its agents' names
	// ("kube-flannel/kube-flannel-ds-").
	Network string
	Agents  []string
	Nodes   []*corev1.Node
	// AtOnce is how many hosts are cleaned at a time.
	AtOnce int
	// WithPods goes on although pods run in the network; DryRun only looks.
	WithPods, DryRun bool
	// Cleaned is told of each host once it is clean; nil for nothing.
	Cleaned func(node string)

	waiting []string
	order   map[string]json.RawMessage
	ask     func(ctx context.Context, node *corev1.Node, order json.RawMessage) (json.RawMessage, error)
}

// Result is what became of one host.
type Result struct {
	Node  string `json:"node"`
	State State  `json:"state"`
	// Objects are the things that went, or would go.
	Objects []inventory.Item `json:"objects,omitempty"`
	// Pods run in the network there, Agents are the network's own.
	Pods   []string `json:"pods,omitempty"`
	Agents []string `json:"agents,omitempty"`
	// Verdict is that of the second look; of a dry run it has only what could not be read.
	Verdict inventory.Verdict `json:"verdict,omitzero"`
	// Error says why it is not clean, Hint what to do about it.
	Error   string  `json:"error,omitempty"`
	Hint    string  `json:"hint,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

// State is what became of a host, in a word or two.
type State string

// The states.
const (
	// Cleaned: the second look found nothing, or what a verdict names.
	Cleaned State = "cleaned"
	// Nothing: there was nothing of the network.
	Nothing State = "nothing to do"
	// Looked: a dry run.
	Looked State = "would be cleaned"
	// Silent: its kubelet does not answer.
	Silent State = "does not answer"
	// Failed: it was refused, or failed.
	Failed State = "failed"
	// NotBegun: its turn did not come.
	NotBegun State = "not begun"
)

// Left reports whether something of the network may still be there.
func (r Result) Left() bool {
	return r.State != Cleaned && r.State != Nothing && r.State != Looked
}

// Run cleans the hosts and returns what became of each, in the order of their nodes. It
// returns an error only where none could be begun.
func (c Cleaning) Run(ctx context.Context, cluster runner.Cluster, watch plan.Observer) ([]Result, error) {
	if err := access.Require(ctx, cluster.Client, access.Carrier(cluster.RunNamespace())); err != nil {
		return nil, err
	}
	shared, err := hostfacts.ReadShared(ctx, cluster.Client)
	if err != nil {
		return nil, err
	}
	if c.waiting, err = waiting(ctx, cluster.Client); err != nil {
		return nil, err
	}
	c.order = map[string]json.RawMessage{}
	for _, node := range c.Nodes {
		if c.order[node.Name], err = c.orderFor(shared.Of(node)); err != nil {
			return nil, err
		}
	}
	c.ask = func(ctx context.Context, node *corev1.Node, order json.RawMessage) (json.RawMessage, error) {
		if err := kubenode.RequireKubeadm(ctx, cluster.Client, node); err != nil {
			return nil, err
		}
		return runner.RunOnce(ctx, cluster, node, runner.Question{Operation: wire.CleanNetwork, Input: order}, func(string, ...any) {})
	}
	var results []Result
	verb := text.Choose(c.DryRun, "Look at", "Clean")
	_, err = plan.Plan{Title: verb + " hosts", Steps: []plan.Step{{
		ID: "hosts", Title: fmt.Sprintf("%s %s for what %s has left", verb, text.Count(len(c.Nodes), "host"), c.Network),
		Do: func(ctx context.Context, report plan.Report) error {
			results = c.each(ctx, report)
			return nil
		},
	}}}.Run(ctx, watch)
	return results, err
}

// waiting are the pods of CoreDNS, by namespace/name: they wait for the next network.
func waiting(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	pods, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: dnsLabel})
	if err != nil {
		return nil, fmt.Errorf("list the pods of CoreDNS: %w", err)
	}
	var out []string
	for _, p := range pods.Items {
		out = append(out, p.Namespace+"/"+p.Name)
	}
	return out, nil
}

// dnsLabel is that of CoreDNS' pods, as kubeadm makes them.
const dnsLabel = "k8s-app=kube-dns"

// orderFor is what travels to the host of those facts.
func (c Cleaning) orderFor(facts inventory.Facts) (json.RawMessage, error) {
	scope := inventory.Scope{Owner: inventory.Owner(c.Network)}
	raw, err := json.Marshal(inventory.NetworkOrder{Order: inventory.Order{Facts: facts}, Scope: scope,
		Agents: c.Agents, Waiting: c.waiting, WithPods: c.WithPods, DryRun: c.DryRun})
	if err != nil {
		return nil, fmt.Errorf("encode the order: %w", err)
	}
	return raw, nil
}

// each works on all hosts in waves.
func (c Cleaning) each(ctx context.Context, report plan.Report) []Result {
	byName, results := map[string]*corev1.Node{}, map[string]Result{}
	var names []string
	for _, node := range c.Nodes {
		names = append(names, node.Name)
		byName[node.Name] = node
	}
	slices.Sort(names)
	var lock sync.Mutex
	one := func(ctx context.Context, name string) error {
		r, err := c.one(ctx, byName[name])
		lock.Lock()
		defer lock.Unlock()
		results[name] = r
		report("%s: %s", name, r.brief())
		if !r.Left() && !c.DryRun && c.Cleaned != nil {
			c.Cleaned(name)
		}
		return err
	}
	table := wave.Rollout{Groups: []wave.Group{{Nodes: names, Limit: c.AtOnce, Stages: []wave.Stage{{Each: one}}}}}.Run(ctx)
	out := make([]Result, 0, len(table))
	for _, row := range table {
		r, begun := results[row.Node]
		if !begun {
			r = Result{Node: row.Node, State: NotBegun, Hint: "run the same command again"}
		}
		r.Seconds = row.Took.Seconds()
		out = append(out, r)
	}
	return out
}

// one works on one host. The error is that of the result.
func (c Cleaning) one(ctx context.Context, node *corev1.Node) (Result, error) {
	r := Result{Node: node.Name, State: Failed}
	fail := func(err error) (Result, error) {
		r.Error, r.Hint = err.Error(), plan.HintOf(err)
		return r, err
	}
	if !kubenode.KubeletAnswers(node) {
		r.State = Silent
		return fail(plan.Hint(errors.New("its kubelet does not answer"), "run the same command again once it does; a host that is lost is "+
			"cleaned when it is given up: kubectl lifecycle remove --node-lost %s", text.Quote(node.Name)))
	}
	raw, err := c.ask(ctx, node, c.order[node.Name])
	if err != nil {
		return fail(err)
	}
	var answer inventory.NetworkAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fail(fmt.Errorf("decode what host %s says: %w", node.Name, err))
	}
	r.Objects, r.Pods, r.Agents, r.Verdict = answer.Objects, answer.Pods, answer.Agents, answer.Verdict
	if err := c.judge(&r); err != nil {
		return fail(err)
	}
	return r, nil
}

// judge says of an answer what became of the host.
func (c Cleaning) judge(r *Result) error {
	switch {
	case c.DryRun && len(r.Verdict.Unchecked) > 0:
		return plan.Hint(fmt.Errorf("the host could not be looked at as a whole: %s", left(r.Verdict)),
			"mend what keeps these from being read, then run the same command again: what is not read is not called clean")
	case c.DryRun && len(r.Objects) == 0:
		r.State = Nothing
	case c.DryRun:
		r.State = Looked
	case !r.Verdict.State.Done():
		return plan.Hint(fmt.Errorf("the host is not clean: %s", left(r.Verdict)), "look at what holds these, then run the same command again")
	case len(r.Objects) == 0:
		r.State = Nothing
	default:
		r.State = Cleaned
	}
	return nil
}

// left names what is there after a second look.
func left(v inventory.Verdict) string {
	var names []string
	for _, it := range v.Remaining {
		names = append(names, it.String())
	}
	for _, u := range v.Unchecked {
		names = append(names, u.What+" not checked: "+u.Why)
	}
	return text.Some(names)
}

// brief is a result in a line.
func (r Result) brief() string {
	switch {
	case r.Error != "":
		why, _, _ := strings.Cut(r.Error, "\n")
		return string(r.State) + ": " + why
	case r.State == Cleaned || r.State == Looked:
		return fmt.Sprintf("%s, %s", r.State, text.Count(len(r.Objects), "thing"))
	}
	return string(r.State)
}
