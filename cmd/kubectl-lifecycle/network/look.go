// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// look asks hosts what they have for the network: those of troubled nodes first. One
// that does not answer is said, and so is how many are left out.
func (c commands) look(ctx context.Context, nodes []*corev1.Node, troubled []string, flags env.RunnerFlags) ([]wire.HostNetwork, error) {
	cluster, err := c.Cluster(flags)
	if err != nil {
		return nil, err
	}
	chosen, left := hostlook.Choose(nodes, troubled, hostlook.Most)
	progress := c.Progress()
	defer progress.Close()
	var answers hostlook.Answers
	_, err = plan.Plan{Title: "Look at hosts", Steps: []plan.Step{{
		ID: "hosts", Title: "Ask " + text.Count(len(chosen), "host") + " for what the network needs there",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			answers, err = hostlook.Ask(ctx, cluster, chosen, finding.Ports(), report)
			return err
		},
	}}}.Run(ctx, progress)
	if err != nil {
		return nil, err
	}
	for _, u := range answers.Unasked {
		c.Warn("host %s was not looked at: %s", u.Node, u.Why)
	}
	if left > 0 {
		c.Warn("not looked at: %s; %d are asked at a time", text.Count(left, "host"), hostlook.Most)
	}
	return answers.Hosts, nil
}

// looking asks all hosts of a cluster, as far as they can be.
func (c commands) looking(client kubernetes.Interface, flags env.RunnerFlags) func(context.Context) ([]wire.HostNetwork, error) {
	return func(ctx context.Context) ([]wire.HostNetwork, error) {
		nodes, err := kube.ListNodes(ctx, client, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return c.look(ctx, kube.Pointers(nodes), nil, flags)
	}
}
