// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Who a host is: before it trusts the cluster, while it has a token, and once it
// has its certificate.
const (
	stranger = iota
	bootstrapper
	member
)

// need is one thing that a host must be allowed to do while it joins.
type need struct {
	// what completes "hosts may not …".
	what string
	// binding is the object with which kubeadm allows it, and phase what of
	// "kubeadm init phase …" makes that again.
	binding, phase string
	// as is who asks for it.
	as         int
	attributes authorizationv1.ResourceAttributes
}

// needs lists what kubeadm 1.36 asks for while a worker joins, in the order it
// does. The kube-proxy ConfigMap is missing on purpose: kubeadm goes on without.
func needs() []need {
	const certificates = "certificates.k8s.io"
	return []need{
		{"read cluster-info without credentials", "rolebinding kube-public/kubeadm:bootstrap-signer-clusterinfo", "bootstrap-token", stranger,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespacePublic,
				Name: api.ConfigMapClusterInfo}},
		{"read kubeadm's configuration", "rolebinding kube-system/kubeadm:nodes-kubeadm-config", "upload-config kubeadm", bootstrapper,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: KubeadmConfig}},
		{"read the kubelet's configuration", "rolebinding kube-system/kubeadm:kubelet-config", "upload-config kubelet", bootstrapper,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: metav1.NamespaceSystem, Name: "kubelet-config"}},
		{"look whether their name is free", "clusterrolebinding kubeadm:get-nodes", "bootstrap-token", bootstrapper,
			authorizationv1.ResourceAttributes{Verb: "get", Resource: "nodes"}},
		{"ask for a certificate", "clusterrolebinding kubeadm:kubelet-bootstrap", "bootstrap-token", bootstrapper,
			authorizationv1.ResourceAttributes{Verb: "create", Group: certificates, Resource: "certificatesigningrequests"}},
		{"have their certificate approved by itself", "clusterrolebinding kubeadm:node-autoapprove-bootstrap", "bootstrap-token", bootstrapper,
			authorizationv1.ResourceAttributes{Verb: "create", Group: certificates, Resource: "certificatesigningrequests",
				Subresource: "nodeclient"}},
		{"renew their certificate before it ends, in a year", "clusterrolebinding kubeadm:node-autoapprove-certificate-rotation",
			"bootstrap-token", member,
			authorizationv1.ResourceAttributes{Verb: "create", Group: certificates, Resource: "certificatesigningrequests",
				Subresource: "selfnodeclient"}},
	}
}

// warning is what a denied need means to a person.
func (n need) warning() Warning {
	return Warning{
		Text: fmt.Sprintf("hosts may not %s: kubeadm allows it by %s", n.what, n.binding),
		Hint: "make it again, on a control plane: " + text.Command(append([]string{"kubeadm", "init", "phase"},
			strings.Fields(n.phase)...)...),
	}
}

// review asks the API server whether a host with this need is allowed to. It
// asks for the right rather than for kubeadm's objects: those may be there
// without their subjects, or under other names.
func (n need) review(ctx context.Context, client kubernetes.Interface) (bool, error) {
	spec := authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &n.attributes}
	switch n.as {
	case stranger:
		spec.User, spec.Groups = "system:anonymous", []string{"system:unauthenticated"}
	case bootstrapper:
		spec.User, spec.Groups = bootstrap.Placeholder().UserName(), []string{bootstrap.NodeGroup, api.BootstrapDefaultGroup,
			"system:authenticated"}
	case member:
		spec.User, spec.Groups = "system:node:xxxxxx", []string{"system:nodes", "system:authenticated"}
	}
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	got, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("review the access of joining hosts: %w", err)
	}
	return got.Status.Allowed, nil
}

// Obstacles finds what in the control plane would keep any host from joining.
// A person who may not look gets a warning that says so.
func Obstacles(ctx context.Context, client kubernetes.Interface) ([]Warning, error) {
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
	var configuration []Warning
	group.Go(func() (err error) {
		configuration, err = kubeletWarnings(ctx, client)
		return err
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
	return slices.Concat(configuration, ws, flagWarnings(pods)), nil
}

// StrangerWarning is what an answer to a stranger means.
func StrangerWarning(code int) (Warning, bool) {
	switch code {
	case http.StatusUnauthorized:
		return Warning{
			Text: "the API server refuses an anonymous request for cluster-info (401): no host can read it",
			Hint: strangersHint,
		}, true
	case http.StatusForbidden:
		w := needs()[0].warning()
		w.Text = "the API server refuses an anonymous request for cluster-info (403): " + w.Text
		return w, true
	}
	return Warning{}, false
}
