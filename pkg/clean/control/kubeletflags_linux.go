// SPDX-License-Identifier: Apache-2.0

package control

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// lookFlags finds the files in which an administrator gives the kubelet flags that
// hold for the cluster. They are his, and stay; what kubeadm writes goes.
func (t Control) lookFlags(s *part.Findings) {
	paths := []string{"/etc/default/kubelet", "/etc/sysconfig/kubelet", "/etc/systemd/system/" + Unit}
	names, err := t.Names(inventory.DropIns)
	s.Missed(inventory.KindFlags, inventory.DropIns, err)
	for _, name := range names {
		if path := filepath.Join(inventory.DropIns, name); path != inventory.HoldFile && strings.HasSuffix(name, ".conf") {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		raw, err := t.ReadLinked(path, part.MostOfFile)
		if why := part.Unread(err); why != "" {
			s.NotLookedAt(inventory.KindFlags, path, why)
		}
		if flags := clusterFlags(string(raw)); err == nil && len(flags) > 0 {
			s.Add(inventory.Item{
				Kind: inventory.KindFlags, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Detail: text.Short(strings.Join(flags, " "+
					""), 500),
				Why: "an administrator's, and the next cluster that the host joins gets them, too",
			})
		}
	}
}
