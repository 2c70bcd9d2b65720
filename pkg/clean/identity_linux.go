// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// identityFile is where a removal writes down which cluster it was: the files
// that tell go before the second look.
const identityFile = "cluster.json"

// identity is that of the cluster that this host is in, or was in when a removal
// began; empty if nothing tells.
func (t Target) identity() identity {
	if id, known := t.recallIdentity(); known {
		return id
	}
	read := func(path string) []byte {
		raw, _ := host.ReadPlain(t.Host.Path(path), mostOfConf) // nil: it tells nothing
		return raw
	}
	var kubeconfigs [][]byte
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		kubeconfigs = append(kubeconfigs, read(filepath.Join(inventory.KubernetesDir, name)))
	}
	return identify(read(inventory.PKIDir+"/ca.crt"), kubeconfigs...)
}

// recallIdentity is what an earlier step wrote down.
func (t Target) recallIdentity() (id identity, known bool) {
	if !t.saved(identityFile) {
		return id, false
	}
	raw, err := host.ReadPlain(filepath.Join(t.Host.Path(t.StateDir), identityFile), mostOfConf)
	return id, err == nil && json.Unmarshal(raw, &id) == nil
}

// rememberIdentity writes down which cluster it was, once.
func (t Target) rememberIdentity() error {
	id := t.identity()
	if t.saved(identityFile) || len(id.Authorities)+len(id.Endpoints) == 0 {
		return nil
	}
	raw, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("encode the cluster's identity: %w", err)
	}
	return t.save(identityFile, raw)
}
