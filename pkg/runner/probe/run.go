// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// startLimit is how long a pod may take to start, attemptLimit how long one way
	// is tried.
	startLimit, attemptLimit = 60 * time.Second, 4 * time.Second
	// serviceLimit is how long a Service may take to lead to its pods.
	serviceLimit = 10 * time.Second
	// removeLimit bounds the removal of what was made.
	removeLimit = 40 * time.Second
	// startsAtOnce is how many pods are started, and programs sent, at the same time.
	startsAtOnce = 8
)

// Options say what is probed.
type Options struct {
	// Nodes are named by a person; with none, at most Most are chosen.
	Nodes []string
	Most  int
}

// probed is a probe on a node.
type probed struct {
	*podcarrier.Probe
	node *corev1.Node
	// name is for a person, pod is the pod's.
	name, pod string
	// second says that its node has another one.
	second bool
	hello  wire.ProbeHello
	// hostPort leads to it from its node's address; 0 for none.
	hostPort int32
	failed   error
}

// Run probes the network, and removes what it has made for that. The error is of what
// keeps it from probing; what does not work is in the result.
func Run(ctx context.Context, cluster runner.Cluster, options Options, report plan.Report) (result Result, err error) {
	all, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	if err != nil {
		return Result{}, err
	}
	nodes, skipped, err := choose(all, options.Nodes, options.Most)
	if err != nil {
		return Result{}, err
	}
	result.Skipped = skipped
	for _, n := range nodes {
		result.Nodes = append(result.Nodes, n.Name)
	}
	r := &run{cluster: cluster, id: strings.ToLower(rand.Text()[:10]), report: report, tries: map[string][]try{}, untried: map[string]string{}}
	for _, s := range skipped {
		if s.OfNetwork {
			r.note(Pods, s.Node, errors.New(s.Why), 0)
		}
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
		defer cancel()
		err = errors.Join(err, r.remove(cleanup))
	}()
	if err := r.start(ctx, nodes); err != nil {
		return result, err
	}
	r.probe(ctx)
	if err := ctx.Err(); err != nil {
		return result, context.Cause(ctx)
	}
	for _, name := range order() {
		result.Lines = append(result.Lines, lineOf(name, r.tries[name], r.untried[name]))
	}
	result.Pairs, result.Skipped = r.pairs, append(result.Skipped, r.skipped...)
	return result, nil
}

// run is one probe of a network.
type run struct {
	cluster runner.Cluster
	id      string
	report  plan.Report
	probes  []*probed
	service *corev1.Service

	mu      sync.Mutex
	tries   map[string][]try
	untried map[string]string
	pairs   []Pair
	skipped []Skipped
}

// note keeps what came of one way.
func (r *run) note(name, way string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := try{way: way, took: took}
	if err != nil {
		t.why = err.Error()
	}
	r.tries[name] = append(r.tries[name], t)
}

// start makes the pods: one on each node, and a second one on the first. A pod that
// does not start is a line of the result; a node that takes none, for a reason that is
// not the network's, is left out. What keeps all of them from being made is an error.
func (r *run) start(ctx context.Context, nodes []*corev1.Node) error {
	if err := r.sweep(ctx); err != nil {
		return err
	}
	var refused []error
	for i := range len(nodes) + 1 {
		if len(nodes) == 0 {
			return nil
		}
		second := i == len(nodes)
		node := nodes[i%len(nodes)]
		p := &probed{node: node, name: node.Name, second: second, pod: runner.ProbePod(node.Name, r.id, second)}
		if second {
			p.name += " (second pod)"
		}
		if i == min(1, len(nodes)-1) {
			p.hostPort = 29000 + int32(r.id[0])%100
		}
		var err error
		p.Probe, err = podcarrier.NewProbe(ctx, r.cluster.Client, r.cluster.Config, podcarrier.ProbeRequest{
			Request: podcarrier.Request{Name: p.pod, Namespace: r.cluster.RunNamespace(), Operation: wire.ProbeNetwork, Node: node,
				Image: r.cluster.Image,
				Ours:  func(pod *corev1.Pod) bool { return runner.IsProbePod(pod, r.cluster.Namespace) }},
			ID: r.id, HostPort: p.hostPort,
		}, r.report)
		switch {
		case plan.ClassOf(err) == plan.Refused:
			refused = append(refused, err)
			r.leave(p, err)
		case err != nil:
			return err
		default:
			r.probes = append(r.probes, p)
		}
	}
	r.report("starting %s on %s, from images that are already on them", text.Count(len(r.probes), "pod"), text.Count(len(nodes), "node"))
	r.openAll(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, p := range r.probes {
		if p.failed != nil && p.IP == "" && plan.ClassOf(p.failed) == plan.Refused {
			refused = append(refused, p.failed)
		}
	}
	if len(refused) == len(nodes)+1 {
		return refused[0]
	}
	return nil
}

// leave notes a node that takes no pod of a probe.
func (r *run) leave(p *probed, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.second {
		r.skipped = append(r.skipped, Skipped{Node: p.node.Name, Why: err.Error()})
	}
}

// openAll starts the pods, some at a time.
func (r *run) openAll(ctx context.Context) {
	var all sync.WaitGroup
	room := make(chan struct{}, startsAtOnce)
	for _, p := range r.probes {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			r.open(ctx, p)
		})
	}
	all.Wait()
}

// open starts one pod. Its stream lives as long as ctx; only its start is limited.
func (r *run) open(ctx context.Context, p *probed) {
	begin := time.Now()
	living, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(startLimit, func() { end(fmt.Errorf("it does not start within %s", startLimit)) })
	p.hello, p.failed = p.Start(living, func(string, ...any) {}) // what each of many pods does is told at the end
	timer.Stop()
	why := p.failed
	if why != nil {
		why = r.whyNot(ctx, p)
	}
	r.note(Pods, p.name, why, time.Since(begin))
}

// whyNot is why a pod does not start: the newest event that its kubelet wrote of its
// network, else the error itself.
func (r *run) whyNot(ctx context.Context, p *probed) error {
	for _, reason := range []string{"FailedCreatePodSandBox", "NetworkNotReady"} {
		list, err := r.cluster.Client.CoreV1().Events(r.cluster.RunNamespace()).List(ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.name=" + p.pod + ",reason=" + reason, Limit: 100,
		})
		if err != nil {
			return p.failed
		}
		i := slices.IndexFunc(list.Items, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == p.pod && time.Since(e.LastTimestamp.Time) < 2*startLimit
		})
		if i >= 0 {
			return errors.New(list.Items[i].Message)
		}
	}
	return p.failed
}
