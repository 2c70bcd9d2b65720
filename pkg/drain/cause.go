// SPDX-License-Identifier: Apache-2.0

package drain

// Cause says what keeps a pod on the node.
type Cause string

// The causes.
const (
	// CauseBudget: a PodDisruptionBudget allows no disruption now.
	CauseBudget Cause = "Budget"
	// CauseSeveralBudgets: more than one matches, which the eviction API does
	// not support.
	CauseSeveralBudgets Cause = "SeveralBudgets"
	// CauseStopping: it was told to stop and is not gone yet.
	CauseStopping Cause = "Stopping"
	// CauseNamespace: its namespace is being deleted, which deletes the pod.
	CauseNamespace Cause = "NamespaceTerminating"
	// CauseWebhook: an admission webhook denies the eviction, perhaps because
	// it moves the workload itself (KubeVirt, Strimzi).
	CauseWebhook Cause = "Webhook"
	// CauseWebhookDown: an admission webhook that has to be asked does not answer.
	CauseWebhookDown Cause = "WebhookDown"
	// CausePolicy: an admission policy denies it.
	CausePolicy Cause = "Policy"
	// CauseQuota: a ResourceQuota denies it.
	CauseQuota Cause = "Quota"
	// CauseAdmission: an admission plugin of the API server denies it.
	CauseAdmission Cause = "Admission"
	// CauseReadOnly: the cluster takes no writes.
	CauseReadOnly Cause = "ReadOnly"
	// CauseBusy: the API server asks for patience.
	CauseBusy Cause = "ServerBusy"
	// CauseServer: the API server failed, or could not be reached.
	CauseServer Cause = "ServerError"
	// CauseForbidden: this user may not.
	CauseForbidden Cause = "Forbidden"
	// CauseRejected: the server finds fault with the request itself.
	CauseRejected Cause = "Rejected"
	// CauseReplacement: the pods that were taken from its controller before are
	// not replaced yet.
	CauseReplacement Cause = "Replacement"
	// CauseTurn: other nodes, or other pods, come first.
	CauseTurn Cause = "Turn"
	// CauseUncordoned: its node is schedulable again, or gone.
	CauseUncordoned Cause = "Uncordoned"
	// CauseSurgeUndone: its budget was to open by a surge, which another has undone.
	CauseSurgeUndone Cause = "SurgeUndone"
	// CauseNotAsked: its turn has not come, or no answer has.
	CauseNotAsked Cause = "NotAsked"
)
