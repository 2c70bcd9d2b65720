// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/bulklist"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// readDaemonSets reads the names of all DaemonSets.
func (s *reader) readDaemonSets(ctx context.Context) error {
	api := s.client.AppsV1()
	s.DaemonSets = map[types.NamespacedName]bool{}
	return bulklist.Each(ctx, bulklist.Request[appsv1.DaemonSet]{
		Resource: "daemonsets.apps", Path: "daemonsets", Wire: api.RESTClient(), Shape: bulklist.Without(2, 3).Within(1,
			bulklist.WithoutManagers()),
		List: bulklist.ListOf(api.DaemonSets(metav1.NamespaceAll).List, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }),
	}, func(set *appsv1.DaemonSet) {
		s.DaemonSets[types.NamespacedName{Namespace: set.Namespace, Name: set.Name}] = true
		s.ReadLock(set)
	})
}

// readWorkloads reads ReplicaSets, then Deployments and StatefulSets, and keeps
// those that pods of the nodes belong to.
func (s *reader) readWorkloads(ctx context.Context) error {
	s.Parents = map[types.UID]metav1.OwnerReference{}
	wanted := map[types.UID]bool{}
	for i := range s.Pods {
		if ref := metav1.GetControllerOf(&s.Pods[i]); ref != nil {
			wanted[ref.UID] = true
		}
	}
	api := s.client.AppsV1()
	steps := []func() error{
		func() error {
			return bulklist.Each(ctx, bulklist.Request[appsv1.ReplicaSet]{
				Resource: "replicasets.apps", Path: "replicasets", Wire: api.RESTClient(), Shape: bulklist.WorkloadShape(),
				List: bulklist.ListOf(api.ReplicaSets(metav1.NamespaceAll).List, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items }),
			}, func(rs *appsv1.ReplicaSet) {
				if !wanted[rs.UID] {
					return
				}
				s.keep(rs, rs.Spec.Replicas, false)
				if ref := metav1.GetControllerOf(rs); ref != nil {
					s.Parents[rs.UID], wanted[ref.UID] = *ref, true
				}
			})
		},
		func() error {
			return bulklist.Each(ctx, bulklist.Request[appsv1.Deployment]{
				Resource: "deployments.apps", Path: "deployments", Wire: api.RESTClient(), Shape: bulklist.WorkloadShape(),
				List: bulklist.ListOf(api.Deployments(metav1.NamespaceAll).List, func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items }),
			}, func(d *appsv1.Deployment) {
				if wanted[d.UID] {
					s.keep(d, d.Spec.Replicas, d.Spec.Paused)
				}
			})
		},
		func() error {
			return bulklist.Each(ctx, bulklist.Request[appsv1.StatefulSet]{
				Resource: "statefulsets.apps", Path: "statefulsets", Wire: api.RESTClient(), Shape: bulklist.WorkloadShape(),
				List: bulklist.ListOf(api.StatefulSets(metav1.NamespaceAll).List,
					func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items }),
			}, func(set *appsv1.StatefulSet) {
				if wanted[set.UID] {
					s.keep(set, set.Spec.Replicas, false)
				}
			})
		},
	}
	for _, step := range steps {
		if err := step(); apierrors.IsForbidden(err) {
			s.Notes = append(s.Notes, "owners are known in part: "+err.Error())
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *reader) keep(object metav1.Object, replicas *int32, paused bool) {
	s.Workloads[object.GetUID()] = Workload{Replicas: kube.Wanted(replicas), Paused: paused, Releases: managedby.Of(object)}
}

// readVolumes reads claims and volumes, and keeps the claims of the nodes' pods
// whose volume is on one node. Without the permission it is noted.
func (s *reader) readVolumes(ctx context.Context) (notes []string, err error) {
	used := map[types.NamespacedName]bool{}
	for i := range s.Pods {
		for _, c := range drain.ClaimsOf(&s.Pods[i]) {
			used[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = true
		}
	}
	api := s.client.CoreV1()
	var claims []corev1.PersistentVolumeClaim
	bound := map[string]types.NamespacedName{}
	err = bulklist.Each(ctx, bulklist.Request[corev1.PersistentVolumeClaim]{
		Resource: "persistentvolumeclaims", Path: "persistentvolumeclaims", Wire: api.RESTClient(), Shape: bulklist.Without().Within(1,
			bulklist.WithoutManagers()),
		List: bulklist.ListOf(api.PersistentVolumeClaims(metav1.NamespaceAll).List,
			func(l *corev1.PersistentVolumeClaimList) []corev1.PersistentVolumeClaim { return l.Items }),
	}, func(pvc *corev1.PersistentVolumeClaim) {
		if name := (types.NamespacedName{Namespace: pvc.Namespace, Name: pvc.Name}); used[name] {
			claims = append(claims, *pvc)
			bound[pvc.Spec.VolumeName] = name
		}
	})
	var volumes []corev1.PersistentVolume
	if err == nil {
		s.Local = map[types.NamespacedName]string{}
		err = bulklist.Each(ctx, bulklist.Request[corev1.PersistentVolume]{
			Resource: "persistentvolumes", Path: "persistentvolumes", Wire: api.RESTClient(), Shape: bulklist.Without().Within(1,
				bulklist.WithoutManagers()),
			List: bulklist.ListOf(api.PersistentVolumes().List, func(l *corev1.PersistentVolumeList) []corev1.PersistentVolume { return l.Items }),
		}, func(pv *corev1.PersistentVolume) {
			name, ours := bound[pv.Name]
			if !ours {
				return
			}
			volumes = append(volumes, *pv)
			if ofOneNode(pv) {
				s.Local[name] = pv.Name
			}
		})
	}
	if apierrors.IsForbidden(err) {
		return []string{"whether volumes tie pods to their node is not known: " + err.Error()}, nil
	}
	s.room.Volumes(claims, volumes)
	return nil, err
}

// ofOneNode reports whether a volume is on the disk of one node: a local one, a
// directory, or one that the hostname ties to a node.
func ofOneNode(pv *corev1.PersistentVolume) bool {
	if pv.Spec.Local != nil || pv.Spec.HostPath != nil {
		return true
	}
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		return false
	}
	for _, term := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range term.MatchExpressions {
			if e.Key == corev1.LabelHostname && e.Operator == corev1.NodeSelectorOpIn {
				return true
			}
		}
	}
	return false
}

// unreadyBecause says why a pod is not Ready.
func unreadyBecause(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "is stopping"
	}
	var waits string
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		switch {
		case waits != "" || c.Ready:
		case c.State.Waiting != nil && c.State.Waiting.Reason != "PodInitializing" && c.State.Waiting.Reason != "ContainerCreating":
			waits = "container " + c.Name + ": " + c.State.Waiting.Reason
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			waits = fmt.Sprintf("container %s: exit code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
	if waits != "" {
		return waits
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "Pending: " + text.Choose(c.Message == "", c.Reason, c.Message)
		}
	}
	if pod.Status.Phase == corev1.PodPending {
		return text.Choose(pod.Spec.NodeName == "", "Pending", "starting")
	}
	return "running, and not Ready"
}
