// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/metadata"
	tokenutil "k8s.io/cluster-bootstrap/token/util"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

const (
	// patience is how long a cluster may take to answer: a person waits for their
	// shell in the meantime.
	patience = 150 * time.Millisecond
	// mostNodes is how many nodes are asked for.
	mostNodes = 500
)

// soon is what a question to the cluster answers in time; nothing if it does not. The
// question goes on in the background, as a credential plugin may not be stopped, and ends
// with the process.
func soon(question func(context.Context) ([]string, error)) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer := make(chan []string, 1)
	go func() {
		if words, err := question(ctx); err == nil {
			answer <- words
		}
	}()
	select {
	case words := <-answer:
		return words
	case <-ctx.Done():
		return nil
	}
}

// nodes are workers first, then control planes, by name.
func nodes(e *env.Env) []string { return soon(listNodes(e, true)) }

// workers are the nodes that are no control plane.
func workers(e *env.Env) []string { return soon(listNodes(e, false)) }

// listNodes asks for the names and labels of nodes, and for nothing else of them.
func listNodes(e *env.Env, controlPlanes bool) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		config, err := e.Config()
		if err != nil {
			return nil, err
		}
		client, err := metadata.NewForConfig(config)
		if err != nil {
			return nil, err
		}
		list, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}).
			List(ctx, metav1.ListOptions{Limit: mostNodes, ResourceVersion: "0"})
		if err != nil {
			return nil, err
		}
		return nodeWords(list.Items, controlPlanes), nil
	}
}

// nodeWords are the names of nodes, workers first. A name that no node can have is left
// out: what stands here goes to a shell.
func nodeWords(items []metav1.PartialObjectMetadata, controlPlanes bool) []string {
	var first, last []string
	for _, item := range items {
		switch {
		case !isName(item.Name):
		case !kube.IsControlPlane(&corev1.Node{ObjectMeta: item.ObjectMeta}):
			first = append(first, item.Name)
		case controlPlanes:
			last = append(last, item.Name+"\tcontrol plane")
		}
	}
	slices.Sort(first)
	slices.Sort(last)
	return append(first, last...)
}

// isName reports whether a node can have a name (core/validation.ValidateNodeName).
func isName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// runs are the nodes that are being worked on.
func runs(e *env.Env) []string {
	return soon(func(ctx context.Context) ([]string, error) {
		cluster, err := e.Cluster(env.RunnerFlags{})
		if err != nil {
			return nil, err
		}
		records, err := runner.List(ctx, cluster)
		var out []string
		for _, rec := range records {
			if isName(rec.State.Node) {
				out = append(out, rec.State.Node)
			}
		}
		return out, err
	})
}

// tokens are the ids of the bootstrap tokens, which are no secret.
func tokens(e *env.Env) []string {
	return soon(func(ctx context.Context) ([]string, error) {
		client, err := e.Client()
		if err != nil {
			return nil, err
		}
		listed, err := bootstrap.List(ctx, client)
		var out []string
		for _, token := range listed {
			if tokenutil.IsValidBootstrapTokenID(token.ID) {
				out = append(out, token.ID)
			}
		}
		return out, err
	})
}
