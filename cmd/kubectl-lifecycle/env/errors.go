// SPDX-License-Identifier: Apache-2.0

package env

import (
	"errors"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// NothingChanged marks an error of the reading part of a command: unless it has
// a class already, it is a refusal.
func NothingChanged(err error) error {
	if err == nil {
		return nil
	}
	if plan.ClassOf(err) != plan.Broken {
		return err
	}
	return plan.As(plan.Refused, Explain(err))
}

// Explain adds the way out to the errors that any API call can return.
func Explain(err error) error {
	if err == nil || plan.HintOf(err) != "" {
		return err
	}
	var netErr *net.OpError
	var urlErr *url.Error
	switch {
	case clientcmd.IsEmptyConfig(err):
		return plan.Hint(err, "name a kubeconfig: --kubeconfig FILE, or export KUBECONFIG=FILE")
	case apierrors.IsForbidden(err):
		return plan.Hint(err, "ask for that verb on that resource; 'kubectl auth can-i --list' shows what you may do")
	case apierrors.IsUnauthorized(err):
		return plan.Hint(err, "the credentials in your kubeconfig are not accepted: renew them, or choose another --context")
	case errors.As(err, &netErr), errors.As(err, &urlErr):
		return plan.Hint(err, "is the API server reachable from here? Try: kubectl cluster-info")
	}
	return err
}

// Misused is an error of usage.
func Misused(why string) error { return plan.As(plan.Misused, errors.New(why)) }
