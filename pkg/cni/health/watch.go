// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// watch keeps a view up to date by four watches: nodes, the agents' DaemonSet,
// the pods of their namespace, CoreDNS.
type watch struct {
	target    Target
	factories []informers.SharedInformerFactory
	nodes     cache.SharedIndexInformer
	sets      cache.SharedIndexInformer
	pods      cache.SharedIndexInformer
	dns       cache.SharedIndexInformer
	// changed has one element when there is something to look at.
	changed chan struct{}
	// denied has the error of a watch that will never work, broken that of one
	// that is tried again.
	denied, broken chan error
}

func watchers(client kubernetes.Interface, target Target) *watch {
	w := &watch{target: target, changed: make(chan struct{}, 1), denied: make(chan error, 1), broken: make(chan error, 1)}
	make := func(namespace string, tweak func(*metav1.ListOptions)) informers.SharedInformerFactory {
		f := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace), informers.WithTweakListOptions(tweak))
		w.factories = append(w.factories, f)
		return f
	}
	all := func(*metav1.ListOptions) {}
	w.nodes = make(metav1.NamespaceAll, all).Core().V1().Nodes().Informer()
	w.pods = make(target.Namespace, all).Core().V1().Pods().Informer()
	w.sets = make(target.Namespace, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, target.DaemonSet).String()
	}).Apps().V1().DaemonSets().Informer()
	w.dns = make(metav1.NamespaceSystem, func(o *metav1.ListOptions) { o.LabelSelector = dnsSelector }).Apps().V1().Deployments().Informer()
	return w
}

// start begins to watch and returns when everything has been read once.
func (w *watch) start(ctx context.Context) error {
	wake := func(any) {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: wake, UpdateFunc: func(_, now any) { wake(now) }, DeleteFunc: wake}
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{w.nodes, w.sets, w.pods, w.dns} {
		if err := informer.SetWatchErrorHandlerWithContext(w.failed); err != nil {
			return fmt.Errorf("watch the network: %w", err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch the network: %w", err)
		}
		synced = append(synced, informer.HasSynced)
	}
	for _, f := range w.factories {
		f.StartWithContext(ctx)
	}
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-w.denied:
			cancel(err)
		case <-within.Done():
		}
	}()
	if !cache.WaitForCacheSync(within.Done(), synced...) {
		return context.Cause(within)
	}
	return nil
}

// failed hears of a watch that broke. It is tried again by itself, so that an
// API server may restart under it; only what is forbidden stays so. A watch that
// ends, or is too old, is every day's business.
func (w *watch) failed(_ context.Context, _ *cache.Reflector, err error) {
	into := w.broken
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		into = w.denied
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return
	}
	select {
	case into <- err:
	default:
	}
}

// stop waits for the watches, whose context has ended.
func (w *watch) stop() {
	for _, f := range w.factories {
		f.Shutdown()
	}
}

// view is the newest view.
func (w *watch) view() view {
	v := view{target: w.target, now: time.Now()}
	for _, o := range w.nodes.GetStore().List() {
		if node, ok := o.(*corev1.Node); ok {
			v.nodes = append(v.nodes, node)
		}
	}
	for _, o := range w.sets.GetStore().List() {
		if set, ok := o.(*appsv1.DaemonSet); ok && set.Name == w.target.DaemonSet {
			v.agents = set
		}
	}
	for _, o := range w.pods.GetStore().List() {
		if pod, ok := o.(*corev1.Pod); ok {
			v.pods = append(v.pods, pod)
		}
	}
	for _, o := range w.dns.GetStore().List() {
		if d, ok := o.(*appsv1.Deployment); ok {
			v.dns = append(v.dns, d)
		}
	}
	return v
}

// look takes a view once, by four requests.
func look(ctx context.Context, client kubernetes.Interface, target Target) (view, error) {
	v := view{target: target, now: time.Now()}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return v, fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		v.nodes = append(v.nodes, &nodes.Items[i])
	}
	set, err := client.AppsV1().DaemonSets(target.Namespace).Get(ctx, target.DaemonSet, metav1.GetOptions{})
	switch {
	case err == nil:
		v.agents = set
	case !apierrors.IsNotFound(err):
		return v, fmt.Errorf("get daemonset %s/%s: %w", target.Namespace, target.DaemonSet, err)
	}
	pods, err := client.CoreV1().Pods(target.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return v, fmt.Errorf("list pods in namespace %s: %w", target.Namespace, err)
	}
	for i := range pods.Items {
		v.pods = append(v.pods, &pods.Items[i])
	}
	dns, err := client.AppsV1().Deployments(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: dnsSelector})
	if err != nil {
		return v, fmt.Errorf("list deployments in namespace kube-system: %w", err)
	}
	for i := range dns.Items {
		v.dns = append(v.dns, &dns.Items[i])
	}
	return v, nil
}
