// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Stage is how far the drain of a node is, or what is done to it, for other
// tools to read as the node's conditions.
type Stage string

// The stages.
const (
	// Draining: pods are leaving.
	Draining Stage = "Draining"
	// Drained: all that had to leave have left.
	Drained Stage = "Drained"
	// Stopped: the drain ended before that, and the node takes no pods.
	Stopped Stage = "DrainStopped"
	// NotDraining: the node takes pods again, or was never drained. The
	// conditions of a drain are removed.
	NotDraining Stage = "NotDraining"
	// Maintaining: the host itself is being changed.
	Maintaining Stage = "Maintaining"
	// NotMaintaining: it is not, or not any more. The condition is removed.
	NotMaintaining Stage = "NotMaintaining"
)

// reasonPrefix begins the reason of every condition that is written here.
const reasonPrefix = "KubectlLifecycle"

// The field managers, by which the server knows whose condition it is. A manager
// owns all that it applies at once, so drain and maintenance have one each.
const (
	drainManager       = "kubectl-lifecycle-drain"
	maintenanceManager = "kubectl-lifecycle-maintenance"
)

// nodeStates are the condition types of a node's life (KEP-5683). They are plain
// types that every version of the server takes.
func nodeStates() []corev1.NodeConditionType {
	return []corev1.NodeConditionType{
		corev1.NodeDrainInProgress, corev1.NodeDrained, corev1.NodeMaintenancePlanned, corev1.NodeMaintenanceInProgress,
	}
}

// Mark sets the conditions of some nodes to a stage: DrainInProgress and
// Drained, or MaintenanceInProgress; one request per node. They are applied
// (server-side apply), so that a condition that another writer has set stays as
// it is, and is no error. A node that is gone is passed over.
//
// Conditions are a courtesy to other tools: the caller tells the error, once,
// and goes on. It has a hint if the verb patch on nodes/status is not allowed.
func Mark(ctx context.Context, client kubernetes.Interface, nodes []string, stage Stage) error {
	conditions, manager := stage.conditions(time.Now())
	errs := make([]error, len(nodes))
	var group errgroup.Group
	group.SetLimit(readers)
	for i, name := range nodes {
		group.Go(func() error {
			if err := applyConditions(ctx, client, name, conditions, manager); !apierrors.IsNotFound(err) {
				errs[i] = Denied(fmt.Sprintf("set the conditions of node %q", name), err, Right{"patch", "nodes/status"})
			}
			return nil
		})
	}
	_ = group.Wait() // no goroutine returns an error
	for _, err := range errs {
		if apierrors.IsForbidden(err) {
			return err // one is enough: it is the same right for all
		}
	}
	return errors.Join(errs...)
}

// conditions are what a stage amounts to, and whose they are; none means that
// those of the manager are removed.
func (s Stage) conditions(at time.Time) ([]*apply.NodeConditionApplyConfiguration, string) {
	condition := func(kind corev1.NodeConditionType, yes bool, message string) *apply.NodeConditionApplyConfiguration {
		status := corev1.ConditionFalse
		if yes {
			status = corev1.ConditionTrue
		}
		return apply.NodeCondition().WithType(kind).WithStatus(status).WithReason(reasonPrefix + string(s)).WithMessage(message).
			WithLastTransitionTime(metav1.NewTime(at)).WithLastHeartbeatTime(metav1.NewTime(at))
	}
	drain := func(words string) []*apply.NodeConditionApplyConfiguration {
		return []*apply.NodeConditionApplyConfiguration{
			condition(corev1.NodeDrainInProgress, s == Draining, words), condition(corev1.NodeDrained, s == Drained, words),
		}
	}
	switch s {
	case Draining:
		return drain("kubectl lifecycle drains the node"), drainManager
	case Drained:
		return drain("all pods that had to leave have left"), drainManager
	case Stopped:
		return drain("the drain ended before all pods had left"), drainManager
	case Maintaining:
		return []*apply.NodeConditionApplyConfiguration{condition(corev1.NodeMaintenanceInProgress, true,
			"kubectl lifecycle changes the host")}, maintenanceManager
	case NotMaintaining:
		return nil, maintenanceManager
	case NotDraining:
	}
	return nil, drainManager
}

// applyConditions applies those conditions that no other writer has, in one
// request, or two if there is such a writer.
func applyConditions(ctx context.Context, client kubernetes.Interface, node string, conditions []*apply.NodeConditionApplyConfiguration,
	manager string) error {
	send := func() error {
		change := apply.Node(node).WithStatus(apply.NodeStatus().WithConditions(conditions...))
		_, err := client.CoreV1().Nodes().ApplyStatus(ctx, change, metav1.ApplyOptions{FieldManager: manager})
		return err
	}
	err := send()
	if taken := takenBy(err); len(taken) > 0 {
		conditions = slices.DeleteFunc(slices.Clone(conditions), func(c *apply.NodeConditionApplyConfiguration) bool {
			return slices.Contains(taken, *c.Type)
		})
		err = send()
	}
	return err
}

// conditionField is how a conflict names a field of a condition.
var conditionField = regexp.MustCompile(`^\.status\.conditions\[type="([A-Za-z]+)"\]`)

// takenBy are the conditions for which another writer stands.
func takenBy(err error) []corev1.NodeConditionType {
	status, ok := kube.StatusOf(err)
	if !ok || status.Details == nil || !apierrors.IsConflict(err) {
		return nil
	}
	var out []corev1.NodeConditionType
	for _, cause := range status.Details.Causes {
		if field := conditionField.FindStringSubmatch(cause.Field); cause.Type == metav1.CauseTypeFieldManagerConflict && field != nil {
			out = append(out, corev1.NodeConditionType(field[1]))
		}
	}
	return out
}

// ForeignNow are the warnings of nodes on which another tool has gone to work since the
// decision was made, by their conditions, annotations and taints of now; what was known
// then is left out.
func (d Decision) ForeignNow(now []*corev1.Node) []string {
	var since Decision
	for _, n := range d.Nodes {
		for _, node := range now {
			if node.UID == n.UID {
				n.Foreign = slices.DeleteFunc(foreignTo(node), func(sign string) bool { return slices.Contains(n.Foreign, sign) })
				since.Nodes = append(since.Nodes, n)
			}
		}
	}
	return since.Foreign()
}

// ReadLocks reads which locks DaemonSets hold now for nodes that are drained, or gone.
func ReadLocks(ctx context.Context, client kubernetes.Interface, nodes []string) ([]Lock, error) {
	var s Snapshot
	err := s.readDaemonSets(ctx, client, DefaultOptions().ChunkSize)
	return slices.DeleteFunc(s.Locks, func(l Lock) bool { return !slices.Contains(nodes, l.Node) }), err
}

// machineOf is the Machine of Cluster API that a node belongs to, by the annotations that
// its controllers write (cluster-api, api/core/v1beta2/common_types.go); empty for none.
func machineOf(node *corev1.Node) string {
	name := node.Annotations["cluster.x-k8s.io/machine"]
	if name == "" {
		return ""
	}
	if namespace := node.Annotations["cluster.x-k8s.io/cluster-namespace"]; namespace != "" {
		name = namespace + "/" + name
	}
	return text.Short(name, 200)
}

// foreignTo names the conditions of a node by which another tool says that it is
// at work on it: "MaintenanceInProgress (Upgrading: new kernel)". Those that were
// written here are not among them.
func foreignTo(node *corev1.Node) []string {
	var out []string
	for _, c := range node.Status.Conditions {
		if !slices.Contains(nodeStates(), c.Type) || c.Type == corev1.NodeDrained || c.Status != corev1.ConditionTrue || ourCondition(c) {
			continue
		}
		words := c.Reason + text.Choose(c.Reason != "" && c.Message != "", ": ", "") + c.Message
		out = append(out, string(c.Type)+text.Choose(words == "", "", " ("+words+")"))
	}
	if since, is := node.Annotations["weave.works/kured-reboot-in-progress"]; is {
		out = append(out, "kured reboots it (since "+since+")")
	}
	for _, taint := range node.Spec.Taints {
		// cluster-autoscaler, utils/taints; karpenter, pkg/apis/v1
		if slices.Contains([]string{"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"}, taint.Key) {
			out = append(out, "it is to be deleted (taint "+taint.Key+")")
		}
	}
	return out
}

// ReadLock notes for which nodes a DaemonSet holds the lock of kured, which reboots one
// node after the other. The lock of a node that is gone is never released, and no node
// is rebooted any more (kubereboot/kured#137).
func (s *Snapshot) ReadLock(set *appsv1.DaemonSet) {
	for key, value := range set.Annotations {
		if !strings.HasSuffix(key, "/kured-node-lock") { // it has one holder, or a list of them
			continue
		}
		type holder struct {
			Node string `json:"nodeID"`
		}
		var lock struct {
			holder
			Locks []holder `json:"locks"`
		}
		if json.Unmarshal([]byte(value), &lock) != nil {
			continue
		}
		for _, h := range append(lock.Locks, lock.holder) {
			if h.Node != "" {
				s.Locks = append(s.Locks, Lock{Node: h.Node, Set: set.Namespace + "/" + set.Name, Key: key})
			}
		}
	}
}

// Lock is that of a DaemonSet that works on one node after the other.
type Lock struct{ Node, Set, Key string }

// String says what it does, and how to end it.
func (l Lock) String() string {
	namespace, name, _ := strings.Cut(l.Set, "/")
	return fmt.Sprintf("daemonset %s holds kured's lock for it, and may reboot it; a lock of a node that is gone stays, and no other node "+
		"is rebooted: "+
		"kubectl annotate daemonset -n %s %s %s-", l.Set, text.Quote(namespace), text.Quote(name), text.Quote(l.Key))
}

// ourCondition reports whether a condition was written here.
func ourCondition(c corev1.NodeCondition) bool { return strings.HasPrefix(c.Reason, reasonPrefix) }

// marked reports whether a Node carries a condition of a drain that was written
// here.
func marked(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return (c.Type == corev1.NodeDrainInProgress || c.Type == corev1.NodeDrained) && ourCondition(c)
	})
}
