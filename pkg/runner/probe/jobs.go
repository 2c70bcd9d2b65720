// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// bulk is how many bytes go each way over TCP: more than fit into one packet of any
// size, so that a way that loses long ones is seen.
const bulk = 128 << 10

// probe tries everything, all ways of one kind at the same time.
func (r *run) probe(ctx context.Context) {
	living := slices.DeleteFunc(slices.Clone(r.probes), func(p *probed) bool { return p.failed != nil })
	for _, name := range order() {
		r.untried[name] = noPods
	}
	if len(living) == 0 {
		return
	}
	r.report("sending packets between %d pods", len(living))
	r.onOneNode(ctx, living)
	r.betweenNodes(ctx, living)
	r.throughService(ctx, living)
	r.names(ctx, living)
	r.server(ctx, living)
	r.throughHost(ctx, living)
}

// ask has one probe do a job, and returns why that failed.
func ask(ctx context.Context, p *probed, job wire.ProbeJob) (wire.ProbeResult, error) {
	result, err := p.Ask(ctx, job)
	if err == nil && result.Why != "" {
		err = errors.New(result.Why)
	}
	return result, err
}

// each runs a job from every pod, and notes what came of it.
func (r *run) each(ctx context.Context, name string, from []*probed, job wire.ProbeJob) {
	var all sync.WaitGroup
	for _, p := range from {
		all.Go(func() {
			got, err := ask(ctx, p, job)
			r.note(name, p.name+" → "+job.To, err, got.Took)
		})
	}
	all.Wait()
}

// to is the address at which a probe answers others.
func (p *probed) to() string { return net.JoinHostPort(p.IP, strconv.Itoa(podcarrier.ProbePort)) }

// onOneNode sends between the two pods of one node.
func (r *run) onOneNode(ctx context.Context, living []*probed) {
	i := slices.IndexFunc(living, func(p *probed) bool { return p.second })
	if i < 0 {
		return
	}
	second := living[i]
	j := slices.IndexFunc(living, func(p *probed) bool { return !p.second && p.node.Name == second.node.Name })
	if j < 0 {
		return
	}
	r.each(ctx, SameNode, []*probed{second}, wire.ProbeJob{Kind: wire.ProbeTCP, To: living[j].to(), Size: bulk, Limit: attemptLimit})
}

// betweenNodes sends from nodes to others, each pair of them first a stream and then a
// packet of full size.
func (r *run) betweenNodes(ctx context.Context, living []*probed) {
	first := slices.DeleteFunc(slices.Clone(living), func(p *probed) bool { return p.second })
	if len(first) < 2 {
		r.untried[Across], r.untried[Sized] = "pods on two nodes are needed", "pods on two nodes are needed"
		return
	}
	r.untried[Sized] = "no stream arrives"
	tried := between(len(first))
	r.pairs = make([]Pair, len(tried))
	var all sync.WaitGroup
	for i, t := range tried {
		all.Go(func() { r.pairs[i] = r.pair(ctx, first[t[0]], first[t[1]]) })
	}
	all.Wait()
	slices.SortFunc(r.pairs, func(a, b Pair) int { return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To)) })
}

// pair sends from one node to another.
func (r *run) pair(ctx context.Context, from, to *probed) Pair {
	way := from.name + " → " + to.name
	size := min(from.hello.MTU, to.hello.MTU)
	got, streamed := ask(ctx, from, wire.ProbeJob{Kind: wire.ProbeTCP, To: to.to(), Size: bulk, Limit: attemptLimit})
	r.note(Across, way, streamed, got.Took)
	p := Pair{From: from.name, To: to.name, Stream: outcomeOf(streamed), FullSize: NotTried}
	if streamed != nil && !strings.HasPrefix(streamed.Error(), wire.ProbeCut) {
		p.Why = text.Brief(streamed.Error())
		return p // nothing arrives there, of any size
	}
	got, whole := ask(ctx, from, wire.ProbeJob{Kind: wire.ProbeSized, To: to.to(), Size: size, Limit: attemptLimit})
	r.note(Sized, way, whole, got.Took)
	p.FullSize, p.Bytes = outcomeOf(whole), got.Size
	if err := cmp.Or(streamed, whole); err != nil {
		p.Why = text.Brief(err.Error())
	}
	return p
}

const noPods = "not enough pods have started"

// throughService sends to the pods by a Service of this probe's own, which one of them
// owns, so that it does not outlive them. kube-proxy, or what does its work, has a
// while to learn of it.
func (r *run) throughService(ctx context.Context, living []*probed) {
	owner := living[0].Owner()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: "lifecycle-probe-" + r.id, Labels: map[string]string{podcarrier.ProbeLabel: r.id}, OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: corev1.ServiceSpec{Selector: map[string]string{podcarrier.ProbeLabel: r.id}, Ports: []corev1.ServicePort{{Port: 80,
			TargetPort: intstr.FromInt32(podcarrier.ProbePort)}}},
	}
	made, err := r.cluster.Client.CoreV1().Services(r.cluster.RunNamespace()).Create(ctx, service, metav1.CreateOptions{})
	if err != nil {
		r.untried[Service] = "it cannot be made: " + err.Error()
		return
	}
	r.service = made
	address := net.JoinHostPort(made.Spec.ClusterIP, "80")
	var all sync.WaitGroup
	for _, p := range living {
		all.Go(func() {
			begin := time.Now()
			for {
				got, err := ask(ctx, p, wire.ProbeJob{Kind: wire.ProbeTCP, To: address, Size: 1, Limit: time.Second})
				if err == nil || time.Since(begin) > serviceLimit || ctx.Err() != nil {
					r.note(Service, p.name+" → "+address, err, got.Took)
					return
				}
				r.pause(ctx)
			}
		})
	}
	all.Wait()
}

// pause is between two attempts at a Service.
func (r *run) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// names looks the name of the API server's Service up.
func (r *run) names(ctx context.Context, living []*probed) {
	r.each(ctx, Names, living, wire.ProbeJob{Kind: wire.ProbeName, To: "kubernetes.default.svc", Limit: attemptLimit})
}

// server opens a connection to the API server by its Service.
func (r *run) server(ctx context.Context, living []*probed) {
	client := r.cluster.Client.CoreV1()
	service, err := client.Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		r.untried[Server] = "its address cannot be read: " + err.Error()
		return
	}
	ca, err := client.ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	if err != nil {
		r.untried[Server] = "its certificate authority cannot be read: " + err.Error()
		return
	}
	r.each(ctx, Server, living, wire.ProbeJob{Kind: wire.ProbeTLS, To: net.JoinHostPort(service.Spec.ClusterIP, "443"),
		CA: []byte(ca.Data["ca.crt"]), Server: "kubernetes.default.svc", Limit: attemptLimit})
}

// throughHost sends to a port of a host that leads to the pod on it.
func (r *run) throughHost(ctx context.Context, living []*probed) {
	i := slices.IndexFunc(living, func(p *probed) bool { return p.hostPort > 0 })
	if i < 0 {
		return
	}
	to := living[i]
	address := hostAddress(to.node)
	if address == "" {
		r.untried[HostPort] = "node " + to.node.Name + " has no InternalIP"
		return
	}
	from := slices.DeleteFunc(slices.Clone(living), func(p *probed) bool { return p == to })
	r.each(ctx, HostPort, from, wire.ProbeJob{Kind: wire.ProbeTCP, To: net.JoinHostPort(address, fmt.Sprint(to.hostPort)), Size: 1,
		Limit: attemptLimit})
}

func hostAddress(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
