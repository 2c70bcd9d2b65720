// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// infoSigned is cluster-info with a signature made with a secret; none if it is
// empty.
func infoSigned(t *testing.T, secret string) *corev1.ConfigMap {
	t.Helper()
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
		Data:       map[string]string{"kubeconfig": "content"},
	}
	if secret != "" {
		cm.Data["jws-kubeconfig-abcdef"] = signature("content", newToken("abcdef", secret))
	}
	return cm
}

// bed is one WaitSigned under way in a bubble.
type bed struct {
	*testing.T

	mu      sync.Mutex
	reports []string
}

func (b *bed) report(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reports = append(b.reports, fmt.Sprintf(format, args...))
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	synctest.Wait()
}

// last wants the newest report to hold a text.
func (b *bed) last(text string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reports) == 0 || !strings.Contains(b.reports[len(b.reports)-1], text) {
		b.Fatalf("the last report has no %q: %q", text, b.reports)
	}
}

// waiting runs a WaitSigned in a bubble; the error comes through the channel.
func waiting(ctx context.Context, t *testing.T, client *fake.Clientset, token Token) (*bed, chan error) {
	t.Helper()
	b, result := &bed{T: t}, make(chan error, 1)
	go func() { result <- WaitSigned(ctx, client, token, b.report) }()
	synctest.Wait()
	return b, result
}

func TestWaitSignedReturnsAtOnceWhenTheSignatureIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := WaitSigned(t.Context(), fake.NewClientset(infoSigned(t, jointest.GivenSecret)), mustParse(t, jointest.Given), nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestWaitSignedWatchesUntilTheSignatureIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(infoSigned(t, ""), liveSecret(nil))
		b, result := waiting(t.Context(), t, client, mustParse(t, jointest.Given))
		b.last("waiting for the bootstrapsigner controller to sign cluster-info with token abcdef")
		// A signature left by an older token of the same id does not count.
		_, err := client.CoreV1().ConfigMaps("kube-public").Update(t.Context(), infoSigned(t, "fedcba9876543210"), metav1.UpdateOptions{})
		b.must(err)
		select {
		case err := <-result:
			t.Fatalf("it took a wrong signature: %v", err)
		default:
		}
		time.Sleep(watch.Heartbeat)
		synctest.Wait()
		b.last("is not signed with token abcdef after 10s")
		_, err = client.CoreV1().ConfigMaps("kube-public").Update(t.Context(), infoSigned(t, jointest.GivenSecret), metav1.UpdateOptions{})
		b.must(err)
		if err := <-result; err != nil {
			t.Error(err)
		}
		if _, err := client.CoreV1().Secrets("kube-system").Get(t.Context(), "bootstrap-token-abcdef", metav1.GetOptions{}); err != nil {
			t.Errorf("the token is gone: %v", err)
		}
	})
}

func TestWaitSignedGivesUpAndRevokesWhatWasMade(t *testing.T) {
	tests := []struct {
		name      string
		foreign   bool
		interrupt bool
		class     plan.Class
		text      string
	}{
		{"after a minute", false, false, plan.TimedOut, "timed out waiting for the bootstrapsigner controller"},
		{"when interrupted", false, true, plan.Interrupted, "interrupted while waiting for the bootstrapsigner controller"},
		{"but leaves a token of others alone", true, false, plan.TimedOut, "timed out"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset(infoSigned(t, ""), liveSecret(nil))
			token := mustParse(t, jointest.Given)
			token.Foreign = tt.foreign
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, result := waiting(ctx, t, client, token)
			if tt.interrupt {
				cancel()
			}
			err := <-result
			jointest.WantClass(t, err, tt.class, tt.text)
			if hint := plan.HintOf(err); !strings.Contains(hint, "kubernetes/kubernetes#134823") {
				t.Errorf("%s: hint %q", tt.name, hint)
			}
			_, err = client.CoreV1().Secrets("kube-system").Get(context.WithoutCancel(ctx), "bootstrap-token-abcdef", metav1.GetOptions{})
			if apierrors.IsNotFound(err) == tt.foreign {
				t.Errorf("%s: the token's Secret: %v", tt.name, err)
			}
		})
	}
}

func TestWaitSignedEndsWhenItMayNotWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(liveSecret(nil))
		client.PrependReactor("list", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "cluster-info", nil)
		})
		err := WaitSigned(t.Context(), client, mustParse(t, jointest.Given), nil)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "watch configmap kube-public/cluster-info") {
			t.Errorf("got %v", err)
		}
	})
}
