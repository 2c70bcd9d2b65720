// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	certificatesinformers "k8s.io/client-go/informers/certificates/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ErrNameTaken is the error of a host that asks, with our token, for the name
// of a node that is Ready: two hosts with one name, or a token in wrong hands.
var ErrNameTaken = errors.New("the name is that of a Ready node")

// Request says which host to follow.
type Request struct {
	// Token is the one the host was given.
	Token bootstrap.Token
	// NodeName is the name the host was told to take; empty follows the first
	// host that uses the token.
	NodeName string
	// Note says who cordoned a node that the host takes over; may be nil.
	Note check.CordonNote
}

// Follow watches a host arrive until its node is Ready, and reports each stage
// with the reason it lasts. Ready is not yet usable: it gives others half a
// minute to take off the taints that are theirs, and returns what keeps pods
// away then. It returns how far the host came, with an error too:
//
//   - the certificate request was denied or could not be signed;
//   - ErrNameTaken;
//   - the context ended: class TimedOut or Interrupted, with what would help;
//   - something may not be watched.
//
// A token made here is for one host, so one that is Ready already is the host.
// A foreign one may have brought others before; those are passed over.
func Follow(ctx context.Context, client kubernetes.Interface, r Request, report plan.Report) (Arrival, error) {
	f := &follower{client: client, wanted: r, report: watch.OrSilent(report), Signals: watch.NewSignals(), since: time.Now(),
		told: map[string]bool{}}
	defer f.close()
	if err := f.open(ctx); err != nil {
		return f.arrival, err
	}
	beat := time.NewTicker(watch.Heartbeat)
	defer beat.Stop()
	for {
		if err := f.look(ctx); err != nil || f.arrived() {
			return f.arrival, err
		}
		select {
		case <-ctx.Done():
			return f.arrival, f.gaveUp(ctx)
		case <-f.Changed:
		case err := <-f.Failed:
			if ctx.Err() == nil && watch.Lasting(err) {
				return f.arrival, fmt.Errorf("watch a host arrive: %w", err)
			}
			watch.Retrying(f.report, err)
		case <-beat.C:
			f.remind(ctx)
		}
	}
}

// follower is the state of one Follow.
type follower struct {
	client kubernetes.Interface
	wanted Request
	report plan.Report
	watch.Signals

	requests cache.Store
	nodes    cache.Store // nil until a name is known
	pods     cache.Store
	stops    []func()

	past    map[types.UID]bool // requests of hosts that came before
	name    string             // of the host that is followed
	request request            // the last one seen of it
	arrival Arrival
	since   time.Time       // when the stage began
	told    map[string]bool // what is said once
	// sandbox is why pods that are starting get no sandbox, by their UID.
	sandbox map[types.UID]string
}

func (f *follower) close() {
	for _, stop := range f.stops {
		stop()
	}
}

// open begins to watch for requests.
func (f *follower) open(ctx context.Context) error {
	signer := fields.OneTermEqualSelector("spec.signerName", certificatesv1.KubeAPIServerClientKubeletSignerName).String()
	if f.wanted.Token.Foreign {
		if err := f.passOver(ctx, signer); err != nil {
			return err
		}
	}
	informer := certificatesinformers.NewFilteredCertificateSigningRequestInformer(f.client, 0, nil,
		func(o *metav1.ListOptions) { o.FieldSelector = signer })
	f.requests = informer.GetStore()
	return f.mirror(ctx, informer, f.Fail)
}

func (f *follower) mirror(ctx context.Context, informer cache.SharedIndexInformer, fail func(error)) error {
	stop, err := watch.Mirror(ctx, informer, f.Change, fail)
	if err == nil {
		f.stops = append(f.stops, stop)
	}
	return err
}

// passOver notes the requests of hosts that came with this token before.
func (f *follower) passOver(ctx context.Context, signer string) error {
	list, err := f.client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{FieldSelector: signer})
	if err != nil {
		return fmt.Errorf("list certificate signing requests: %w", err)
	}
	var all []*certificatesv1.CertificateSigningRequest
	for i := range list.Items {
		all = append(all, &list.Items[i])
	}
	f.past = map[types.UID]bool{}
	for _, r := range requestsOf(f.wanted.Token, all) {
		node, err := f.client.CoreV1().Nodes().Get(ctx, r.node, metav1.GetOptions{})
		switch {
		case err == nil && kube.NodeReady(node):
			f.past[r.UID] = true
			f.once("host %s came with this token before and is Ready", r.node)
		case err != nil && !apierrors.IsNotFound(err):
			return fmt.Errorf("get node %s: %w", r.node, err)
		}
	}
	return nil
}

// look brings the arrival up to date and reports it if it is news.
func (f *follower) look(ctx context.Context) error {
	if err := f.find(ctx); err != nil {
		return err
	}
	if f.name != "" {
		if err := f.request.rejected(); err != nil {
			return err
		}
	}
	settled := f.arrival.Stage == Registered && time.Since(f.since) >= watch.Heartbeat
	now := judge(sight{request: f.request, node: f.node(), pods: f.podsOn(), settled: settled, sandbox: f.sandbox, note: f.wanted.Note})
	if now.Stage == f.arrival.Stage && now.Reason == f.arrival.Reason && slices.Equal(now.Away, f.arrival.Away) {
		return nil // what remind has found out stays
	}
	if now.Stage != f.arrival.Stage {
		f.since = time.Now()
	}
	f.report("%s", sentence(now))
	f.arrival = now
	return nil
}

// find looks for the newest request of the host that is followed, or chooses
// that host.
func (f *follower) find(ctx context.Context) error {
	var all []*certificatesv1.CertificateSigningRequest
	for _, obj := range f.requests.List() {
		if csr, ok := obj.(*certificatesv1.CertificateSigningRequest); ok && !f.past[csr.UID] {
			all = append(all, csr)
		}
	}
	rs := requestsOf(f.wanted.Token, all)
	name := f.name
	if name == "" {
		name = f.wanted.NodeName
	}
	// Requests are tidied away after an hour; the last one seen stays good.
	if r, ok := choose(rs, name); ok {
		f.request = r
	}
	for _, r := range rs {
		if f.request.node != "" && r.node != f.request.node {
			f.once("another host uses this token: %s", r.node)
		} else if f.request.node == "" {
			f.once("host %s uses this token; waiting for %s", r.node, f.wanted.NodeName)
		}
	}
	if f.name != "" || f.request.node == "" {
		return nil
	}
	f.name = f.request.node
	return f.attend(ctx)
}

// attend begins to watch the node that a host asks to be.
func (f *follower) attend(ctx context.Context) error {
	node, err := f.client.CoreV1().Nodes().Get(ctx, f.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("get node %s: %w", f.name, err)
	case isTaken(node, f.request):
		f.arrival = judge(sight{request: f.request})
		return plan.Hint(fmt.Errorf("host %s (certificate request %s): %w", f.name, f.request.Name, ErrNameTaken),
			"give each host its own name (join --node-name), and remove the old node first; if that was not your host, the token is in wrong "+
				"hands: kubectl -n %s delete secret %s",
			metav1.NamespaceSystem, text.Quote(f.wanted.Token.SecretName()))
	case node.CreationTimestamp.Before(&f.request.CreationTimestamp):
		f.once("node %s was there before, not Ready: the host takes it over", f.name)
		for _, b := range check.Staying(check.Barriers(node, f.wanted.Note)) {
			f.once("%s", b.Text)
		}
	}
	nodes := coreinformers.NewFilteredNodeInformer(f.client, 0, nil, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, f.name).String()
	})
	if err := f.mirror(ctx, nodes, f.Fail); err != nil {
		return err
	}
	pods := coreinformers.NewFilteredPodInformer(f.client, metav1.NamespaceAll, 0, nil, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", f.name).String()
	})
	// Pods only explain; a user who may not see them gets a shorter reason.
	if err := f.mirror(ctx, pods, func(error) {}); err != nil {
		return err
	}
	f.nodes, f.pods = nodes.GetStore(), pods.GetStore()
	return nil
}
