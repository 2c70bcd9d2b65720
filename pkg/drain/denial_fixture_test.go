// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// said is an error as the server sends it.
func said(code int32, reason metav1.StatusReason, kind, message string, causes ...metav1.StatusCause) error {
	details := &metav1.StatusDetails{Kind: kind, Name: "a", Causes: causes}
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: details}}
}

// noRight is what the authorizer says (Kubernetes 1.37, responsewriters).
func noRight(verb, resource string) error {
	return said(403, metav1.StatusReasonForbidden, "nodes", fmt.Sprintf(`nodes "a" is forbidden: User "ann" cannot %s resource %q in API group "" at the cluster scope`, verb, resource))
}
