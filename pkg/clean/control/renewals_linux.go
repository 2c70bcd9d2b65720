// SPDX-License-Identifier: Apache-2.0

package control

import (
	"path/filepath"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// addRenewals adds what renewals of certificates have kept: earlier certificates and
// kubeconfigs with their keys, which open the cluster as long as they are valid, and what
// one that was killed has left beside the certificates; and backups that were not finished,
// a removal's too.
func (t Control) addRenewals(s *part.Findings) {
	for _, mark := range []string{inventory.RenewalBackups, inventory.UnfinishedBackups,
		filepath.Join(inventory.KubernetesDir, inventory.RenewalMark)} {
		dir := filepath.Dir(mark)
		names, err := t.Names(dir)
		s.Missed(inventory.KindDir, dir, err)
		for _, name := range names {
			if strings.HasPrefix(name, filepath.Base(mark)) {
				t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: filepath.Join(dir, name)})
			}
		}
	}
}
