// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Found is what a survey has read.
type Found struct {
	certs.Result
	// Nodes are the nodes of the cluster; nil where they could not be listed.
	Nodes []corev1.Node
	// Unreachable is why the API server could not be asked; nil if it could.
	Unreachable error
}

// part is what one source has told.
type part struct {
	rows   []certs.Row
	unseen []certs.Unseen
}

func (p *part) row(r certs.Row) { p.rows = append(p.rows, r) }

// miss says what could not be read. A context that has ended is no reason of its own.
func (p *part) miss(what string, err error) {
	p.unseen = append(p.unseen, certs.Unseen{What: what, Why: why(err)})
}

// why is an error in few words.
func why(err error) string {
	if apierrors.IsForbidden(err) {
		return "your user may not read it"
	}
	return text.Brief(err.Error())
}

// source is one thing that is read.
type source func(ctx context.Context) part

// Survey reads your kubeconfig, what the API holds, what the API servers present, and what
// the kubelets tell of themselves. Where the API server cannot be asked, what it presents
// is read all the same: an ended certificate may be the reason.
func Survey(ctx context.Context, cluster runner.Cluster, report plan.Report) Found {
	s := survey{cluster: cluster, now: time.Now()}
	var found Found
	report("reading your kubeconfig, and what the API server presents")
	first := s.run(ctx, s.own, s.endpoint)
	nodes, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	found.Nodes = nodes
	switch {
	case apierrors.IsForbidden(err):
		first.miss("the nodes", err)
	case err != nil:
		found.Unreachable = err
		found.Rows, found.Unseen = first.rows, first.unseen
		return found
	}
	s.nodes = nodes
	report("asking the API server and %s", text.Count(len(nodes), "kubelet"))
	rest := s.run(ctx, s.authorities, s.servers, s.kubelets, s.webhooks, s.apiServices, s.requests)
	found.Rows = append(first.rows, rest.rows...)
	found.Unseen = append(first.unseen, rest.unseen...)
	certs.Sort(found.Rows)
	return found
}

// survey is one run of it.
type survey struct {
	cluster runner.Cluster
	nodes   []corev1.Node
	now     time.Time
}

// run reads from several sources at once, and keeps their order.
func (s survey) run(ctx context.Context, sources ...source) (all part) {
	parts := make([]part, len(sources))
	var wait sync.WaitGroup
	for i, from := range sources {
		wait.Go(func() { parts[i] = from(ctx) })
	}
	wait.Wait()
	for _, p := range parts {
		all.rows, all.unseen = append(all.rows, p.rows...), append(all.unseen, p.unseen...)
	}
	return all
}

// own reads the certificates of the kubeconfig that is used.
func (s survey) own(context.Context) (p part) {
	config := s.cluster.Config
	given := func(data []byte, file string) ([]byte, error) {
		if len(data) > 0 || file == "" {
			return data, nil
		}
		return os.ReadFile(file) // yours, as kubectl reads it
	}
	raw, err := given(config.CertData, config.CertFile)
	row := certs.Row{Name: "your kubeconfig", Where: config.CertFile, CA: "ca", ManagedBy: certs.ByYou}
	switch {
	case err != nil:
		row.CannotRead = err.Error()
		p.row(row)
	case len(raw) > 0:
		p.row(inPEM(row, raw))
	default:
		p.miss("your own credentials", errors.New("they are no certificate: a token, or what a program gives"))
	}
	return p
}

// inPEM is a row of the first certificate in PEM.
func inPEM(row certs.Row, raw []byte) certs.Row {
	all, err := certs.Bundle(raw)
	if err != nil {
		row.CannotRead = err.Error()
		return row
	}
	return row.Of(certs.Describe(all[0]))
}
