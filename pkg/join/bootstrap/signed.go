// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/cluster-bootstrap/token/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// SignerHint is how the controller that signs cluster-info is switched on.
const SignerHint = "start kube-controller-manager with --controllers=*,bootstrapsigner,tokencleaner"

// The signature comes a moment after the token, unless the controller that
// makes it is being elected.
const (
	signTimeout   = time.Minute
	revokeTimeout = 10 * time.Second
)

// WaitSigned waits until cluster-info is signed with the token, because a host
// that looks earlier is told that the token is invalid. It gives up after a
// minute or when the context ends, with an error of class TimedOut or
// Interrupted that names the controller in charge; a token made here is
// revoked then, since no host could use it.
func WaitSigned(ctx context.Context, client kubernetes.Interface, t Token, report plan.Report) error {
	limited, cancel := context.WithTimeout(ctx, signTimeout)
	defer cancel()
	err := awaitSignature(limited, client, t, watch.OrSilent(report))
	if err == nil || t.Foreign {
		return err
	}
	// The context is often the very thing that has just ended.
	rest, cancelRest := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancelRest()
	if revokeErr := Revoke(rest, client, t); revokeErr != nil {
		return errors.Join(err, revokeErr)
	}
	return err
}

func awaitSignature(ctx context.Context, client kubernetes.Interface, t Token, report plan.Report) error {
	s := watch.NewSignals()
	informer := coreinformers.NewFilteredConfigMapInformer(client, metav1.NamespacePublic, 0, nil, func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, api.ConfigMapClusterInfo).String()
	})
	stop, err := watch.Mirror(ctx, informer, s.Change, s.Fail)
	if err != nil {
		return err
	}
	defer stop()
	start := time.Now()
	beat := time.NewTicker(watch.Heartbeat)
	defer beat.Stop()
	report("waiting for the bootstrapsigner controller to sign cluster-info with token %s", t.ID)
	for {
		if isSigned(informer.GetStore(), t) {
			return nil
		}
		select {
		case <-ctx.Done():
			return watch.Ended(ctx, fmt.Sprintf("the bootstrapsigner controller to sign configmap %s/%s with token %s",
				metav1.NamespacePublic, api.ConfigMapClusterInfo, t.ID), SignerHint+" (kubernetes/kubernetes#134823)")
		case <-s.Changed:
		case err := <-s.Failed:
			if watch.Lasting(err) {
				return fmt.Errorf("watch configmap %s/%s: %w", metav1.NamespacePublic, api.ConfigMapClusterInfo, err)
			}
			watch.Retrying(report, err)
		case <-beat.C:
			report("cluster-info is not signed with token %s after %s: does kube-controller-manager run, with its bootstrapsigner controller?",
				t.ID, watch.Span(time.Since(start)))
		}
	}
}

// isSigned says whether cluster-info carries the signature that a host with
// this token will compute. One that differs is of an older text, or of an
// older token of the same id, and about to be replaced.
func isSigned(store cache.Store, t Token) bool {
	obj, found, err := store.GetByKey(metav1.NamespacePublic + "/" + api.ConfigMapClusterInfo)
	cm, ok := obj.(*corev1.ConfigMap)
	if err != nil || !found || !ok {
		return false
	}
	written := cm.Data[api.JWSSignatureKeyPrefix+t.ID]
	return hmac.Equal([]byte(written), []byte(signature(cm.Data[api.KubeConfigKey], t)))
}
