// SPDX-License-Identifier: Apache-2.0

package wire

import "time"

// RecoverKubelet has a kubelet whose client certificate has expired ask for another one, with
// the token of the delivery; no record, no unit. The question is a KubeletOrder, the answer a
// KubeletRecovered.
const RecoverKubelet Operation = "recover-kubelet"

// KubeletOrder says which machine is meant. Its boot id is not asked for: the Node has an
// older one where the host was started since its kubelet could report last.
type KubeletOrder struct {
	MachineID string `json:"machineID"`
	// ControlPlane is true of a host whose kubelet goes on asking the API server that it asks,
	// its own; any other asks the cluster's endpoint.
	ControlPlane bool `json:"controlPlane,omitempty"`
}

// KubeletRecovered is what the host has done.
type KubeletRecovered struct {
	// Serial and Ends are those of the kubelet's new certificate.
	Serial string    `json:"serial"`
	Ends   time.Time `json:"ends"`
	// Expired is when the earlier one did; zero where there was none that could be read.
	Expired time.Time `json:"expired"`
	// Backup is where the earlier files are kept.
	Backup string `json:"backup"`
}
