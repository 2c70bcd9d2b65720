// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// addSecret adds something in kubeadm's directory of certificates. What is called as kubeadm
// calls its own goes, and what refers to this cluster and was made since the join. The rest
// stays: an editor gives an old file a new birth, and a key is in no backup. What was made
// or changed since the join is named, since it may open the cluster.
func (t Control) addSecret(s *part.Findings, name string) {
	path := filepath.Join(inventory.PKIDir, name)
	if name == "etcd" && t.IsDir(path) && t.addEtcd(s, path) {
		return
	}
	if ofKubeadm(name) || strings.HasPrefix(name, inventory.RenewalMark) {
		t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: path})
		return
	}
	t.addOther(s, path)
}

// addOther adds what has no name of kubeadm's.
func (t Control) addOther(s *part.Findings, path string) {
	raw, err := t.ReadPlain(path, part.MostOfFile)
	refers := t.Cluster().Refer(raw, t.Facts.Node, t.Facts.Joined).String()
	if refers != "" && t.Younger(path) {
		t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: path})
		return
	}
	t.AddForeign(s, path, "no name of kubeadm's")
	if it := &s.Items[len(s.Items)-1]; it.Refers == "" {
		it.Refers = cmp.Or(refers, part.Unread(err))
		if it.Refers == "" && !t.Before(path) {
			it.Refers = "it lies among the cluster's certificates, and is not known to be older than the join"
		}
	}
}

// addEtcd adds what is in etcd's directory of certificates where there is more in it than
// kubeadm makes; else it is left to go as a whole.
func (t Control) addEtcd(s *part.Findings, dir string) bool {
	entries, more, err := t.Some(dir, mostOfEtcd)
	if err == nil && !more && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !ofEtcd(e.Name()) }) {
		return false
	}
	s.Missed(inventory.KindDir, dir, err)
	if more {
		s.NotLookedAt(inventory.KindDir, dir, "there are more files in it than kubeadm makes")
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); ofEtcd(e.Name()) {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: path})
		} else {
			t.addOther(s, path)
		}
	}
	return true
}

// mostOfEtcd is how many files are looked at among etcd's certificates; kubeadm makes eight.
const mostOfEtcd = 256

// ofEtcd reports whether a name is one that kubeadm gives to a certificate or key of etcd's.
func ofEtcd(name string) bool {
	return regexp.MustCompile(`^(ca|server|peer|healthcheck-client)\.(crt|key)$`).MatchString(name)
}

// ofKubeadm reports whether a name is one that kubeadm gives to a certificate or a key
// (cmd/kubeadm/app/constants, 1.36).
func ofKubeadm(name string) bool {
	return regexp.MustCompile(`^(etcd|sa\.(key|pub)|` +
		`(ca|front-proxy-ca|front-proxy-client|apiserver|apiserver-kubelet-client|apiserver-etcd-client)\.(crt|key))$`).MatchString(name)
}
