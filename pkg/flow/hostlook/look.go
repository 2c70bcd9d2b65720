// SPDX-License-Identifier: Apache-2.0

// Package hostlook asks hosts what they have for the pod network: the configurations
// that their runtimes take, the plugins, the kernel's part, and who has which port.
package hostlook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// atOnce is how many hosts are asked at the same time.
	atOnce = 5
	// Most is how many are asked by one command: each takes a pod, and 10 MB through
	// the API server.
	Most = 50
)

// Unasked is a host that gave no answer, and why.
type Unasked struct{ Node, Why string }

// Answers are what hosts said, sorted by node.
type Answers struct {
	Hosts   []wire.HostNetwork
	Unasked []Unasked
}

// Ask asks hosts, each through a pod that is gone afterwards. One that does not answer
// keeps no other from doing so; the error is that of the whole, as an interruption.
func Ask(ctx context.Context, cluster runner.Cluster, nodes []*corev1.Node, ports []int, report plan.Report) (Answers, error) {
	var out Answers
	input, err := json.Marshal(wire.NetworkQuestion{Ports: ports})
	if err != nil {
		return out, fmt.Errorf("encode the question: %w", err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	report("asking %s, each through a pod of an image that is there", text.Count(len(nodes), "host"))
	for _, node := range nodes {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			host, err := ask(ctx, cluster, node, input)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.Unasked = append(out.Unasked, Unasked{node.Name, err.Error()})
				return
			}
			out.Hosts = append(out.Hosts, host)
		})
	}
	all.Wait()
	slices.SortFunc(out.Hosts, func(a, b wire.HostNetwork) int { return strings.Compare(a.Node, b.Node) })
	slices.SortFunc(out.Unasked, func(a, b Unasked) int { return strings.Compare(a.Node, b.Node) })
	return out, context.Cause(ctx)
}

// ask asks one host. What each pod of many does is not told.
func ask(ctx context.Context, cluster runner.Cluster, node *corev1.Node, input json.RawMessage) (wire.HostNetwork, error) {
	var host wire.HostNetwork
	if err := ctx.Err(); err != nil {
		return host, context.Cause(ctx)
	}
	if err := kubenode.RequireKubeadm(ctx, cluster.Client, node); err != nil {
		return host, err
	}
	raw, err := runner.RunOnce(ctx, cluster, node, runner.Question{Operation: wire.LookNetwork, Input: input},
		func(string, ...any) {})
	if err != nil {
		return host, err
	}
	if err := json.Unmarshal(raw, &host); err != nil {
		return host, fmt.Errorf("decode what host %s has for its network: %w", node.Name, err)
	}
	host.Node = node.Name // what a host says of itself counts for itself alone
	return host, nil
}

// Choose picks the hosts to be asked: those of troubled nodes first, then the others by
// name, at most so many, and says how many are left out. Nodes whose kubelet does not
// answer, or that run another system, cannot be asked. It is pure.
func Choose(nodes []*corev1.Node, troubled []string, most int) (chosen []*corev1.Node, left int) {
	able := slices.DeleteFunc(slices.Clone(nodes), func(n *corev1.Node) bool {
		return n.Labels[corev1.LabelOSStable] == "windows" || !kubenode.KubeletAnswers(n) || n.DeletionTimestamp != nil
	})
	rank := func(n *corev1.Node) int {
		if slices.Contains(troubled, n.Name) {
			return 0
		}
		return 1
	}
	slices.SortFunc(able, func(a, b *corev1.Node) int {
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	count := min(most, len(able))
	return able[:count], len(able) - count
}
