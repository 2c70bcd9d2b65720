// SPDX-License-Identifier: Apache-2.0

package servingcerts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// signer selects the requests for serving certificates.
const signer = "spec.signerName=" + certificatesv1.KubeletServingSignerName

// Survey reads the requests that wait, and decides about each; sorted by node.
func Survey(ctx context.Context, cluster runner.Cluster) ([]Request, error) {
	client := cluster.Client
	list, err := client.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{FieldSelector: signer})
	if err != nil {
		return nil, kube.UnreadList(err, "certificatesigningrequests")
	}
	waiting := slices.DeleteFunc(list.Items, func(csr certificatesv1.CertificateSigningRequest) bool {
		return csr.Spec.SignerName != certificatesv1.KubeletServingSignerName || !waits(&csr)
	})
	if len(waiting) == 0 {
		return nil, nil // no more is read for nothing
	}
	nodes, err := kube.ListNodes(ctx, client, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	reserved, err := readReserved(ctx, cluster, nodes)
	if err != nil {
		return nil, err
	}
	var all []Request
	for i := range waiting {
		all = append(all, Decide(&waiting[i], nodes, reserved))
	}
	slices.SortFunc(all, func(a, b Request) int {
		if c := strings.Compare(a.Node, b.Node); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

// waits reports whether nothing was decided about a request yet.
func waits(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) == 0 && len(csr.Status.Conditions) == 0
}

// Approve approves a request as it was read; one that has changed since is refused by the
// server.
func Approve(ctx context.Context, client kubernetes.Interface, r Request, who string) error {
	csr := r.csr.DeepCopy()
	csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "KubectlLifecycle",
		Message: "the node itself asks, for addresses of its own; approved by " + who,
	})
	_, err := client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return plan.Refuse(fmt.Errorf("approve certificatesigningrequest %s: %w", r.Name, err),
			"ask for 'update certificatesigningrequests/approval', and 'approve signers' of %s", certificatesv1.KubeletServingSignerName)
	case err != nil:
		return fmt.Errorf("approve certificatesigningrequest %s: %w", r.Name, err)
	}
	return nil
}
