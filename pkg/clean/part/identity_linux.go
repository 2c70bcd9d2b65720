// SPDX-License-Identifier: Apache-2.0

package part

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// identityFile is where a removal writes down which cluster it was: the files
// that tell go before the second look.
const identityFile = "cluster.json"

// Cluster is that of the cluster that this host is in, or was in when a removal
// began; empty if nothing tells.
func (t Host) Cluster() cluster.Identity {
	id, _ := once(t.Memory, "cluster", func() (cluster.Identity, error) { return t.cluster(), nil })
	return id
}

func (t Host) cluster() cluster.Identity {
	if id, known := t.recallIdentity(); known {
		return id
	}
	read := func(path string) []byte {
		raw, _ := host.ReadPlain(t.Followed(path), MostOfFile) // nil: it tells nothing
		return raw
	}
	var kubeconfigs [][]byte
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		kubeconfigs = append(kubeconfigs, read(filepath.Join(inventory.KubernetesDir, name)))
	}
	return cluster.Identify(read(inventory.PKIDir+"/ca.crt"), kubeconfigs...).Reached(t.Facts.APIServers)
}

// recallIdentity is what an earlier step wrote down.
func (t Host) recallIdentity() (id cluster.Identity, known bool) {
	if !t.Saved(identityFile) {
		return id, false
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), identityFile), MostOfFile)
	return id, err == nil && json.Unmarshal(raw, &id) == nil
}

// RememberIdentity writes down which cluster it was, once.
func (t Host) RememberIdentity() error {
	id := t.Cluster()
	if t.Saved(identityFile) || len(id.Authorities)+len(id.Endpoints) == 0 {
		return nil
	}
	raw, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("encode the cluster's identity: %w", err)
	}
	return t.Save(identityFile, raw)
}
