// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The bounds of the sweep over the kubelets.
const (
	kubeletsAtOnce = 50
	kubeletLimit   = 5 * time.Second
	sweepLimit     = 30 * time.Second
)

// servingOfKubelets begins what is said where kubelets tell nothing of these.
const servingOfKubelets = "the serving certificates of the kubelets of "

// asking is a way to a kubelet's metrics.
type asking func(ctx context.Context, node *corev1.Node) (io.ReadCloser, error)

// told is what one kubelet has said.
type told struct {
	life certs.Lifetime
	err  error
}

// kubelets asks each kubelet when its certificates end.
func (s survey) kubelets(ctx context.Context) (p part) {
	if len(s.nodes) == 0 {
		return p
	}
	way, err := s.way(ctx)
	if err != nil {
		p.miss("the certificates of "+text.Count(len(s.nodes), "kubelet"), err)
		return p
	}
	sweep, cancel := context.WithTimeout(ctx, sweepLimit)
	defer cancel()
	answers := make([]told, len(s.nodes))
	var wait sync.WaitGroup
	room := make(chan struct{}, kubeletsAtOnce)
	for i := range s.nodes {
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			answers[i] = one(sweep, way, &s.nodes[i])
		})
	}
	wait.Wait()
	s.tell(&p, answers)
	return p
}

// one asks one kubelet.
func one(ctx context.Context, way asking, node *corev1.Node) (t told) {
	if !kubenode.KubeletAnswers(node) {
		return told{err: errors.New("its kubelet does not answer (the node is NotReady)")}
	}
	ctx, cancel := context.WithTimeout(ctx, kubeletLimit)
	defer cancel()
	metrics, err := way(ctx, node)
	if err != nil {
		return told{err: err}
	}
	defer func() { _ = metrics.Close() }() // it was read
	t.life, t.err = certs.Lifetimes(metrics)
	return t
}

// tell makes rows of the answers. What many kubelets do not say is said once.
func (s survey) tell(p *part, answers []told) {
	silent := map[string][]string{}
	var noServing []string
	for i, t := range answers {
		node := s.nodes[i].Name
		if t.err != nil {
			silent[why(t.err)] = append(silent[why(t.err)], node)
			continue
		}
		if t.life.Client == nil {
			silent["its kubelet says nothing of it: does it rotate its certificate?"] = append(
				silent["its kubelet says nothing of it: does it rotate its certificate?"], node)
		} else {
			p.row(s.lifetime(node, "kubelet-client", *t.life.Client, t.life.ClientErrors))
		}
		if t.life.Serving == nil {
			noServing = append(noServing, node)
		} else {
			p.row(s.lifetime(node, "kubelet-server", *t.life.Serving, t.life.ServingErrors))
		}
	}
	for reason, nodes := range silent {
		slices.Sort(nodes)
		p.unseen = append(p.unseen, certs.Unseen{What: "the kubelet's certificates of " + text.Some(nodes), Why: reason})
	}
	if len(noServing) > 0 {
		p.unseen = append(p.unseen, certs.Unseen{What: servingOfKubelets + text.Some(noServing),
			Why: "they are signed by the kubelets themselves or given as files, of which a kubelet tells no end"})
	}
}

func (s survey) lifetime(node, name string, left time.Duration, failures float64) certs.Row {
	ends := s.now.Add(left).UTC().Truncate(time.Second)
	row := certs.Row{Node: node, Name: name, Where: "metrics of the kubelet", CA: clusterCA, ManagedBy: certs.ByKubelet, Expires: &ends}
	if failures > 0 {
		row.Notes = append(row.Notes, fmt.Sprintf("the kubelet has failed to renew it %.0f times", failures))
	}
	return row
}

// verb is what is asked of the kubelets.
type verb struct{ subresource string }

// String is how the API server calls it.
func (v verb) String() string { return "get nodes/" + v.subresource }

// way finds how the kubelets may be asked. Through the API server it takes nodes/proxy, also
// with the fine-grained authorization of kubelets (Kubernetes 1.36): that is the kubelet's
// own, and the API server asks for the proxy. With nodes/metrics a kubelet is asked at its
// own address, and only one whose certificate the cluster's authority has signed is told
// your credentials.
func (s survey) way(ctx context.Context) (asking, error) {
	verbs := []verb{{"proxy"}, {"metrics"}}
	denied, err := kube.Denied(ctx, s.cluster.Client, verbs, func(v verb) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: "get", Resource: "nodes", Subresource: v.subresource}
	})
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(denied, verbs[0]):
		return s.throughServer, nil
	case slices.Contains(denied, verbs[1]):
		return nil, errors.New("it takes 'get nodes/metrics' (and a kubelet that can be reached from here) or 'get nodes/proxy'")
	}
	return s.directly(ctx)
}

func (s survey) throughServer(ctx context.Context, node *corev1.Node) (io.ReadCloser, error) {
	return s.cluster.Client.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).SubResource("proxy").Suffix("metrics").Stream(ctx)
}

// directly asks kubelets at their own addresses.
func (s survey) directly(ctx context.Context) (asking, error) {
	cm, err := s.read(ctx, places()[1])
	if err != nil {
		return nil, fmt.Errorf("read the cluster's authority: %w", err)
	}
	config := rest.CopyConfig(s.cluster.Config)
	config.CAData, config.CAFile, config.Insecure, config.ServerName, config.Proxy = cm, "", false, "", nil
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, node *corev1.Node) (io.ReadCloser, error) {
		port := int(node.Status.DaemonEndpoints.KubeletEndpoint.Port)
		address := net.JoinHostPort(kubenode.InternalIP(node), strconv.Itoa(port))
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", nil)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("the kubelet answers %s", response.Status), response.Body.Close())
		}
		return response.Body, nil
	}, nil
}
