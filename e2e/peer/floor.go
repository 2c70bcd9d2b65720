// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package peer has what drains are compared with: the fastest that the API
// server allows, and a count of what a program asks of it.
package peer

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Floor evicts all pods of a namespace on some nodes the moment their budgets
// may allow it, by a watch, and waits until they are gone. It cordons nothing,
// shows nothing, and knows no case but the good one: no drain can be faster.
// DaemonSets' pods are left.
func Floor(ctx context.Context, client kubernetes.Interface, namespace string, nodes ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &floor{client: client, namespace: namespace, left: map[types.UID]*leavingPod{}, allowed: map[string]int32{}}
	budgets, err := client.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if err := f.read(budgets.Items, pods.Items, nodes); err != nil {
		return err
	}
	ofBudgets, err := client.PolicyV1().PodDisruptionBudgets(namespace).Watch(ctx,
		metav1.ListOptions{ResourceVersion: budgets.ResourceVersion})
	if err != nil {
		return err
	}
	defer ofBudgets.Stop()
	ofPods, err := client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: pods.ResourceVersion})
	if err != nil {
		return err
	}
	defer ofPods.Stop()
	answers := make(chan answer, len(f.left))
	for len(f.left) > 0 {
		f.ask(ctx, answers)
		select {
		case a := <-answers:
			busy := apierrors.IsTimeout(a.err) || apierrors.IsServerTimeout(a.err) || apierrors.IsConflict(a.err)
			if a.err != nil && !busy && !apierrors.IsTooManyRequests(a.err) {
				return a.err
			}
			f.inFlight--
			a.pod.asked = a.err == nil
			if busy { // the server came to no answer: whoever asks next may
				f.allowed[a.pod.budget]++
			}
		case event, open := <-ofBudgets.ResultChan():
			if pdb, ok := event.Object.(*policyv1.PodDisruptionBudget); ok {
				f.allowed[pdb.Name] = pdb.Status.DisruptionsAllowed
			} else if !open {
				return fmt.Errorf("the watch of budgets ended: %v", event.Object)
			}
		case event, open := <-ofPods.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); ok && event.Type == "DELETED" {
				delete(f.left, pod.UID)
			} else if !open {
				return fmt.Errorf("the watch of pods ended: %v", event.Object)
			}
		}
	}
	return nil
}

type floor struct {
	client    kubernetes.Interface
	namespace string
	left      map[types.UID]*leavingPod
	allowed   map[string]int32
	inFlight  int
}

// atOnce is how many requests are under way: a server that is asked for hundreds
// of evictions at once fails most of them, and its budgets stay taken for two
// minutes (kubernetes' disruption.DeletionTimeout).
const atOnce = 32

// leavingPod is a pod that has to leave; budget is empty if none matches.
type leavingPod struct {
	name, budget string
	asked        bool
}

type answer struct {
	pod *leavingPod
	err error
}

func (f *floor) read(budgets []policyv1.PodDisruptionBudget, pods []corev1.Pod, nodes []string) error {
	drained := map[string]bool{}
	for _, node := range nodes {
		drained[node] = true
	}
	for i := range pods {
		pod := &pods[i]
		ref := metav1.GetControllerOf(pod)
		if !drained[pod.Spec.NodeName] || ref != nil && ref.Kind == "DaemonSet" {
			continue
		}
		one := &leavingPod{name: pod.Name}
		for j := range budgets {
			f.allowed[budgets[j].Name] = budgets[j].Status.DisruptionsAllowed
			selector, err := metav1.LabelSelectorAsSelector(budgets[j].Spec.Selector)
			if err != nil {
				return err
			}
			if selector.Matches(labels.Set(pod.Labels)) {
				one.budget = budgets[j].Name
			}
		}
		f.left[pod.UID] = one
	}
	return nil
}

// ask evicts what the budgets allow.
func (f *floor) ask(ctx context.Context, answers chan<- answer) {
	for _, pod := range f.left {
		if f.inFlight >= atOnce {
			return
		}
		if pod.asked || pod.budget != "" && f.allowed[pod.budget] <= 0 {
			continue
		}
		pod.asked = true
		f.inFlight++
		if pod.budget != "" {
			f.allowed[pod.budget]--
		}
		go func() {
			answers <- answer{pod, f.client.PolicyV1().Evictions(f.namespace).Evict(ctx,
				&policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: pod.name}})}
		}()
	}
}
