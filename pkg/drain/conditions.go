// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Stage is how far a drain is, for other tools to read.
type Stage string

// The stages.
const (
	// Draining: pods are leaving.
	Draining Stage = "Draining"
	// Drained: all that had to leave have left.
	Drained Stage = "Drained"
	// NotDraining: it ended before that, or the node takes pods again.
	NotDraining Stage = "NotDraining"
)

// conditionsSince is the minor version of Kubernetes 1 that defines the
// conditions DrainInProgress and Drained (KEP-5683).
const conditionsSince = 37

// ServesConditions asks the server for its version, and reports whether the
// Node conditions of drains are defined there. A server that does not tell has
// none.
func ServesConditions(client kubernetes.Interface) bool {
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(strings.TrimRight(version.Minor, "+"))
	return err == nil && version.Major == "1" && minor >= conditionsSince
}

// Mark sets the conditions DrainInProgress and Drained of some nodes. One that
// is gone is passed over; the others' errors are joined.
func Mark(ctx context.Context, client kubernetes.Interface, nodes []string, stage Stage) error {
	patch, err := conditionsPatch(stage, time.Now())
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range nodes {
		_, err := client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			errs = append(errs, fmt.Errorf("set the conditions of node %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func conditionsPatch(stage Stage, at time.Time) ([]byte, error) {
	state := func(yes bool) corev1.ConditionStatus {
		if yes {
			return corev1.ConditionTrue
		}
		return corev1.ConditionFalse
	}
	condition := func(kind corev1.NodeConditionType, yes bool) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: state(yes), Reason: string(stage), Message: "set by kubectl lifecycle",
			LastTransitionTime: metav1.NewTime(at), LastHeartbeatTime: metav1.NewTime(at),
		}
	}
	return json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.NodeCondition{
		condition(corev1.NodeDrainInProgress, stage == Draining),
		condition(corev1.NodeDrained, stage == Drained),
	}}})
}

// marked reports whether a Node carries one of the conditions as True.
func marked(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if (c.Type == corev1.NodeDrainInProgress || c.Type == corev1.NodeDrained) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
