// SPDX-License-Identifier: Apache-2.0

package drain

import (
	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
)

func budgetList() *policyv1.PodDisruptionBudgetList {
	return &policyv1.PodDisruptionBudgetList{Items: []policyv1.PodDisruptionBudget{*makeBudget("web", 5, 6, 1)}}
}

func replicaSetList() *appsv1.ReplicaSetList {
	return &appsv1.ReplicaSetList{Items: []appsv1.ReplicaSet{*makeReplicaSet()}}
}

func deploymentList() *appsv1.DeploymentList { return &appsv1.DeploymentList{} }

func statefulSetList() *appsv1.StatefulSetList { return &appsv1.StatefulSetList{} }
