// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

var (
	podResource    = corev1.SchemeGroupVersion.WithResource("pods")
	budgetResource = policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
)

// server is a fake API server that evicts: it keeps the budget of app=web the
// way the eviction handler and the disruption controller do. Its times are
// those of a synctest bubble.
type server struct {
	*fake.Clientset
	t *testing.T
	// stop is how long a pod takes to stop, replace how long until its
	// replacement is Ready elsewhere; 0 means that none comes.
	stop, replace time.Duration
	// stuck pods stay, terminating; the first ignore evictions of each pod are
	// accepted and forgotten.
	stuck  bool
	ignore int
	// answer overrides what the server says to the nth request for a pod,
	// counted from 1; nil means to let the request through.
	answer func(pod string, n int) error

	// under way are the goroutines that stop and replace pods.
	underWay sync.WaitGroup

	mu       sync.Mutex
	asks     map[string]int
	order    []string
	healthy  int32 // lowest number of healthy pods that the budget ever saw
	versions int
}

func newServer(t *testing.T, objects ...runtime.Object) *server {
	t.Helper()
	s := &server{Clientset: kubetest.NewClient(objects...), t: t, stop: time.Second, asks: map[string]int{}, healthy: 1 << 20}
	s.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create, ok := action.(clienttesting.CreateAction)
		if !ok || action.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		eviction := create.GetObject().(*policyv1.Eviction)
		return true, nil, s.evict(eviction.Namespace, eviction.Name, eviction.DeleteOptions, true)
	})
	s.PrependReactor("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		del := action.(clienttesting.DeleteActionImpl)
		return true, nil, s.evict(del.Namespace, del.Name, &del.DeleteOptions, false)
	})
	return s
}

// evict is called with the client's lock held, so it uses the tracker only.
func (s *server) evict(namespace, name string, options *metav1.DeleteOptions, budgets bool) error {
	s.mu.Lock()
	s.asks[name]++
	n := s.asks[name]
	s.order = append(s.order, name)
	s.mu.Unlock()
	if s.answer != nil {
		if err := s.answer(name, n); err != nil {
			return err
		}
	}
	object, err := s.Tracker().Get(podResource, namespace, name)
	if err != nil {
		return apierrors.NewNotFound(podResource.GroupResource(), name)
	}
	pod := object.(*corev1.Pod).DeepCopy()
	if uid := options.Preconditions.UID; uid == nil || *uid != pod.UID {
		return uidConflict(name)
	}
	if len(options.DryRun) > 0 || n <= s.ignore {
		return nil
	}
	if budgets {
		if err := s.spend(pod); err != nil {
			return err
		}
	}
	end := metav1.NewTime(time.Now().Add(s.stop))
	pod.DeletionTimestamp = &end
	s.store(podResource, pod, namespace)
	s.underWay.Go(func() { s.finish(pod) })
	return nil
}

// spend takes one disruption from the budget that matches.
func (s *server) spend(pod *corev1.Pod) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*policyv1.PodDisruptionBudget
	all = append(all, s.budgets()...)
	matching := pdb.NewGuards(all).Of(pod)
	switch pdb.GateOf(pod, matching) {
	case pdb.Free:
		return nil
	case pdb.Several:
		return severalBudgets()
	case pdb.Closed:
		return refusedBy(matching[0])
	case pdb.Spend:
	}
	budget := matching[0].DeepCopy()
	budget.Status.DisruptionsAllowed--
	if budget.Status.DisruptedPods == nil {
		budget.Status.DisruptedPods = map[string]metav1.Time{}
	}
	budget.Status.DisruptedPods[pod.Name] = metav1.Now()
	s.storeLocked(budgetResource, budget, budget.Namespace)
	s.underWay.Go(func() { s.sync(budget.Namespace, budget.Name, -1, pod.Name) })
	return nil
}

// sync is the disruption controller: healthy changed by so many, and it has seen
// that some pods are stopping. Those that it has not seen do not count as healthy.
func (s *server) sync(namespace, name string, by int32, stopping ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object, err := s.Tracker().Get(budgetResource, namespace, name)
	if err != nil {
		return
	}
	budget := object.(*policyv1.PodDisruptionBudget).DeepCopy()
	budget.Status.CurrentHealthy += by
	s.healthy = min(s.healthy, budget.Status.CurrentHealthy)
	for _, pod := range stopping {
		delete(budget.Status.DisruptedPods, pod)
	}
	budget.Status.DisruptionsAllowed = max(0,
		budget.Status.CurrentHealthy-int32(len(budget.Status.DisruptedPods))-budget.Status.DesiredHealthy)
	s.storeLocked(budgetResource, budget, namespace)
}

// finish is the kubelet and the ReplicaSet of a pod that was told to stop.
func (s *server) finish(pod *corev1.Pod) {
	if s.replace > 0 {
		s.underWay.Go(func() {
			time.Sleep(s.replace)
			s.sync(pod.Namespace, "web", +1)
		})
	}
	time.Sleep(s.stop)
	if s.stuck {
		return
	}
	if err := s.Tracker().Delete(podResource, pod.Namespace, pod.Name); err != nil {
		s.t.Errorf("stop %s: %v", pod.Name, err)
	}
}

func (s *server) budgets() []*policyv1.PodDisruptionBudget {
	list, err := s.Tracker().List(budgetResource, policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), "")
	if err != nil {
		s.t.Fatal(err)
	}
	return kube.Pointers(list.(*policyv1.PodDisruptionBudgetList).Items)
}

func (s *server) store(resource schema.GroupVersionResource, object metav1.Object, namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storeLocked(resource, object, namespace)
}

// storeLocked updates an object under a new version.
func (s *server) storeLocked(resource schema.GroupVersionResource, object metav1.Object, namespace string) {
	s.versions++
	object.SetResourceVersion(fmt.Sprint(1000 + s.versions))
	if err := s.Tracker().Update(resource, object.(runtime.Object), namespace); err != nil {
		s.t.Errorf("store %s: %v", object.GetName(), err)
	}
}

// asked returns how often a pod was asked for.
func (s *server) asked(pod string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks[pod]
}

// refusedBy is the answer of a budget without room, as the server words it.
func refusedBy(budget *policyv1.PodDisruptionBudget) error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: policyv1.DisruptionBudgetCause,
		Message: fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", budget.Name, budget.Status.DesiredHealthy,
			budget.Status.CurrentHealthy),
	})
	return err
}

func uidConflict(name string) error {
	return apierrors.NewConflict(schema.GroupResource{Resource: "Pod"}, name,
		fmt.Errorf("the UID in the precondition (a) does not match the UID in record (b). The object might have been deleted and then recreated"))
}

func severalBudgets() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError,
		Message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
	}}
}

func terminatingNamespace(pod string) error {
	err := apierrors.NewForbidden(podResource.GroupResource(), pod,
		fmt.Errorf("unable to create new content in namespace shop because it is being terminated"))
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	return err
}

func deniedByWebhook() error {
	return apierrors.NewForbidden(podResource.GroupResource(), "a",
		fmt.Errorf(`admission webhook "move.example.com" denied the request: will move it myself`))
}
