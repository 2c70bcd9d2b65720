// SPDX-License-Identifier: Apache-2.0

package wire

import "encoding/json"

// ShareCertificates has a control plane encrypt what another one needs to join: the
// authorities with their keys, and the key of ServiceAccounts. No record, no unit, and
// no Secret may carry the question: the key is in it.
const ShareCertificates Operation = "share-certificates"

// CertificatesOrder is what a control plane is told.
type CertificatesOrder struct {
	// Key is 32 bytes, for AES-256.
	Key []byte `json:"key"`
	// Dir is where kubeadm keeps the certificates; empty means /etc/kubernetes/pki.
	Dir string `json:"dir,omitempty"`
	// ExternalEtcd is set where etcd does not run on the control planes.
	ExternalEtcd *ExternalEtcd `json:"externalEtcd,omitempty"`
	// ControlPlanes are addresses of the other control planes, whose etcd is asked if
	// this host's does not answer.
	ControlPlanes []string `json:"controlPlanes,omitempty"`
}

// ExternalEtcd are the files with which an API server reaches an etcd of its own
// hosts; each may be empty.
type ExternalEtcd struct {
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// SharedCertificates is the answer.
type SharedCertificates struct {
	// Files are encrypted as kubeadm join expects them, by its names of the keys of
	// secret kubeadm-certs. A file that kubeadm can do without is empty.
	Files map[string][]byte `json:"files"`
	// Missing are files without which no control plane can be made from Files.
	Missing []string `json:"missing,omitempty"`
	// Etcd is an inventory.Etcd, and how its members are; null where this host runs
	// none.
	Etcd json.RawMessage `json:"etcd,omitempty"`
}

// LookCertificates reads the certificates of a host, and what its servers present; no
// record, no unit. The question is a certs.Layout, the answer a certs.Look. No private key
// and nothing made of one is in it.
const LookCertificates Operation = "look-certificates"

// RenewCertificates has kubeadm renew certificates of a control plane's host, and proves that
// they are in use; no record. It works as a transient unit, which goes on where the
// connection ends. The question is a certs.Renewal, the answer a certs.Outcome.
const RenewCertificates Operation = "renew-certificates"
