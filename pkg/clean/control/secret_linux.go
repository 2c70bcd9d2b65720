// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// addSecret adds something in kubeadm's directory of certificates. What is called as kubeadm
// calls its own goes; of the rest what is not older than the join, or, if an administrator
// has made that directory a link or a disk where others may keep things, what is provably
// younger.
func (t Control) addSecret(s *part.Findings, name string) {
	path := filepath.Join(inventory.PKIDir, name)
	alone := t.Resolve(inventory.PKIDir) == inventory.PKIDir && !t.Mounted(inventory.PKIDir)
	if ofKubeadm(name) || t.Younger(path) || alone && !t.Older(path) || strings.HasPrefix(name, inventory.RenewalMark) {
		t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: path})
		return
	}
	raw, err := t.ReadPlain(path, part.MostOfFile)
	it := inventory.Item{Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays,
		Why: "no name of kubeadm's; older than the join", Digest: t.Digest(path)}
	if it.Refers = cmp.Or(t.Cluster().Refer(raw, t.Facts.Node, t.Facts.Joined).String(), part.Unread(err)); t.IsDir(path) {
		it.Kind, it.Refers = inventory.KindDir, ""
	}
	s.Add(it)
}

// ofKubeadm reports whether a name is one that kubeadm gives to a certificate or a key
// (cmd/kubeadm/app/constants, 1.36).
func ofKubeadm(name string) bool {
	return regexp.MustCompile(`^(etcd|sa\.(key|pub)|` +
		`(ca|front-proxy-ca|front-proxy-client|apiserver|apiserver-kubelet-client|apiserver-etcd-client)\.(crt|key))$`).MatchString(name)
}
