// SPDX-License-Identifier: Apache-2.0

package part

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	id, _ := once(t.Memory, "cluster", t.cluster)
	return id
}

// ClusterUnread is why not all that tells which cluster it is could be read: what refers
// to it may not be recognised then. Nil if all was read that is there.
func (t Host) ClusterUnread() error {
	_, err := once(t.Memory, "cluster", t.cluster)
	return err
}

func (t Host) cluster() (cluster.Identity, error) {
	id, known, damaged := t.recallIdentity()
	if known {
		return id, nil
	}
	errs := []error{damaged}
	read := func(path string) []byte {
		raw, err := t.ReadLinked(path, MostOfFile)
		if Unread(err) != "" {
			errs = append(errs, err)
		}
		return raw
	}
	var kubeconfigs [][]byte
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		kubeconfigs = append(kubeconfigs, read(filepath.Join(inventory.KubernetesDir, name)))
	}
	id = cluster.Identify(read(inventory.PKIDir+"/ca.crt"), kubeconfigs...).Reached(t.Facts.APIServers).Signing(
		read(inventory.PKIDir+"/sa.pub"), read(inventory.PKIDir+"/front-proxy-ca.crt"), read(inventory.PKIDir+"/etcd/ca.crt"))
	return id, errors.Join(errs...)
}

// recallIdentity is what an earlier step wrote down.
func (t Host) recallIdentity() (id cluster.Identity, known bool, err error) {
	if t.StateDir == "" {
		return id, false, nil
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), identityFile), MostOfFile)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &id)
	}
	if err != nil {
		err = fmt.Errorf("read which cluster it was: %w", err)
	}
	return id, err == nil, err
}

// RememberIdentity writes down which cluster it was, once.
func (t Host) RememberIdentity() error {
	return t.Keep(identityFile, func() ([]byte, error) {
		id := t.Cluster()
		if len(id.Authorities)+len(id.Endpoints) == 0 {
			return nil, nil
		}
		raw, err := json.Marshal(id)
		if err != nil {
			return nil, fmt.Errorf("encode the cluster's identity: %w", err)
		}
		return raw, nil
	})
}
