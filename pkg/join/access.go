// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// anonymous is who a host is before it trusts the cluster.
const (
	anonymousUser  = "system:anonymous"
	anonymousGroup = "system:unauthenticated"
)

// need is one thing that a host must be allowed to do while it joins.
type need struct {
	// what completes "hosts may not …".
	what string
	// binding is the object with which kubeadm allows it, and phase what of
	// "kubeadm init phase …" makes that again.
	binding, phase string
	anonymous      bool
	attributes     authorizationv1.ResourceAttributes
}

// needs lists what kubeadm 1.36 asks for while a worker joins, in the order it
// does. The kube-proxy ConfigMap is missing on purpose: kubeadm goes on without.
func needs() []need {
	const certificates = "certificates.k8s.io"
	return []need{
		{"read cluster-info without credentials", "rolebinding kube-public/kubeadm:bootstrap-signer-clusterinfo", "bootstrap-token", true,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespacePublic, Name: api.ConfigMapClusterInfo}},
		{"read kubeadm's configuration", "rolebinding kube-system/kubeadm:nodes-kubeadm-config", "upload-config kubeadm", false,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: configMapName}},
		{"read the kubelet's configuration", "rolebinding kube-system/kubeadm:kubelet-config", "upload-config kubelet", false,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: "kubelet-config"}},
		{"look whether their name is free", "clusterrolebinding kubeadm:get-nodes", "bootstrap-token", false,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "nodes"}},
		{"ask for a certificate", "clusterrolebinding kubeadm:kubelet-bootstrap", "bootstrap-token", false,
			authorizationv1.ResourceAttributes{Verb: "create", Group: certificates, Resource: "certificatesigningrequests"}},
		{"have their certificate approved by itself", "clusterrolebinding kubeadm:node-autoapprove-bootstrap", "bootstrap-token", false,
			authorizationv1.ResourceAttributes{Verb: "create", Group: certificates, Resource: "certificatesigningrequests", Subresource: "nodeclient"}},
	}
}

// warning is what a denied need means to a person.
func (n need) warning() Warning {
	return Warning{
		Text: fmt.Sprintf("hosts may not %s: kubeadm allows it by %s", n.what, n.binding),
		Hint: "have it made again, on a control plane: kubeadm init phase " + text.Quote(n.phase),
	}
}

// review asks the API server whether a host with this need is allowed to. It
// asks for the right rather than for kubeadm's objects: those may be there
// without their subjects, or under other names.
func (n need) review(ctx context.Context, client kubernetes.Interface) (bool, error) {
	spec := authorizationv1.SubjectAccessReviewSpec{
		User:               Placeholder().userName(),
		Groups:             []string{nodeGroup, api.BootstrapDefaultGroup, "system:authenticated"},
		ResourceAttributes: &n.attributes,
	}
	if n.anonymous {
		spec.User, spec.Groups = anonymousUser, []string{anonymousGroup}
	}
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	got, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("review the access of joining hosts: %w", err)
	}
	return got.Status.Allowed, nil
}

// obstacles finds what in the control plane would keep any host from joining.
// A person who may not look gets a warning that says so.
func obstacles(ctx context.Context, client kubernetes.Interface) ([]Warning, error) {
	list := needs()
	allowed := make([]bool, len(list))
	var pods []corev1.Pod
	var group errgroup.Group
	for i, n := range list {
		group.Go(func() (err error) {
			allowed[i], err = n.review(ctx, client)
			return err
		})
	}
	group.Go(func() error {
		// The control plane may be elsewhere, or not for this person to see.
		got, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "tier=control-plane"})
		if err == nil {
			pods = got.Items
		}
		return nil
	})
	var ws []Warning
	switch err := group.Wait(); {
	case apierrors.IsForbidden(err):
		ws = append(ws, Warning{
			Text: "cannot tell whether hosts are allowed to join: you may not create subjectaccessreviews.authorization.k8s.io",
			Hint: "the host will say so if they are not",
		})
	case err != nil:
		return nil, err
	default:
		for i, n := range list {
			if !allowed[i] {
				ws = append(ws, n.warning())
			}
		}
	}
	return append(ws, flagWarnings(pods)...), nil
}

// flagWarnings reads the flags of the control plane's static pods.
func flagWarnings(pods []corev1.Pod) []Warning {
	var signer, closed []string
	for i := range pods {
		flags := commandLine(&pods[i])
		switch pods[i].Labels["component"] {
		case "kube-controller-manager":
			if !signs(flags) {
				signer = append(signer, pods[i].Name)
			}
		case "kube-apiserver":
			if slices.Contains(flags, "--anonymous-auth=false") {
				closed = append(closed, pods[i].Name)
			}
		}
	}
	var ws []Warning
	if len(signer) > 0 {
		slices.Sort(signer)
		ws = append(ws, Warning{
			Text: "the bootstrapsigner controller is off in " + strings.Join(signer, ", ") + ": no host can check cluster-info (kubernetes/kubernetes#134823)",
			Hint: signerHint,
		})
	}
	if len(closed) > 0 {
		slices.Sort(closed)
		ws = append(ws, Warning{
			Text: "anonymous requests are refused by " + strings.Join(closed, ", ") + ": no host can read cluster-info",
			Hint: "allow them for that one object: an AuthenticationConfiguration with anonymous conditions",
		})
	}
	return ws
}

const signerHint = "start kube-controller-manager with --controllers=*,bootstrapsigner,tokencleaner"

// signs reads --controllers: bootstrapsigner is off unless it is named.
func signs(flags []string) bool {
	for _, flag := range flags {
		if list, ok := strings.CutPrefix(flag, "--controllers="); ok {
			return slices.Contains(strings.Split(list, ","), "bootstrapsigner")
		}
	}
	return false
}

// commandLine is everything the containers of a pod are started with.
func commandLine(pod *corev1.Pod) []string {
	var words []string
	for _, c := range pod.Spec.Containers {
		words = append(append(words, c.Command...), c.Args...)
	}
	return words
}
