// SPDX-License-Identifier: Apache-2.0

package prep

import "encoding/json"

// JoinOrder is what the program on a host is told that is to join.
type JoinOrder struct {
	Prep Order `json:"prep"`
	// CRISocket is the runtime's; empty leaves it to kubeadm.
	CRISocket string `json:"criSocket,omitempty"`
}

// Joined is what has become of it.
type Joined struct {
	// Node is the name that the host has as a node.
	Node string `json:"node"`
	// Already says that it was a node of the cluster before.
	Already bool `json:"already,omitempty"`
	// Blocked says that it did not join, because of what is left in the outcome.
	Blocked bool `json:"blocked,omitempty"`
	// Failed is why it did not, after changes of the outcome were made; WayOut is what the host
	// advises. Begun says that kubeadm had begun by then.
	Failed  string  `json:"failed,omitempty"`
	WayOut  string  `json:"wayOut,omitempty"`
	Begun   bool    `json:"begun,omitempty"`
	Outcome Outcome `json:"outcome"`
}

// InitOrder is what the program on a host is told that is to become the first control
// plane of a new cluster.
type InitOrder struct {
	Prep Order `json:"prep"`
	// Documents are kubeadm's configuration: ClusterConfiguration, InitConfiguration, and
	// what else there is.
	Documents []json.RawMessage `json:"documents"`
	// OnlyMade has the host begin nothing: it answers if the cluster is made.
	OnlyMade bool `json:"onlyMade,omitempty"`
}

// Founded is what has become of it.
type Founded struct {
	// Joined is told as of a host that joins.
	Joined
	// Endpoint is HOST:PORT of the cluster; Assumed says that it is the host's own address,
	// since none was named.
	Endpoint string `json:"endpoint,omitempty"`
	Assumed  bool   `json:"assumed,omitempty"`
	Version  string `json:"version,omitempty"`
	// Differs says that the cluster was made with other settings.
	Differs bool `json:"differs,omitempty"`
	// NotMade answers OnlyMade.
	NotMade bool `json:"notMade,omitempty"`
	// Kubeconfig is the administrator's, a secret: it is for the person's own file alone.
	Kubeconfig []byte `json:"kubeconfig,omitempty"`
}
