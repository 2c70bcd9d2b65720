// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// kubeadmLimit bounds kubeadm: on a control plane it may ask a dead API server
// for its configuration for a minute.
const kubeadmLimit = 3 * time.Minute

func (t Target) credentials() part {
	return part{
		id: "credentials", title: "Delete the node's credentials", kind: KindFile,
		look: t.lookCredentials, take: t.removeCredentials,
	}
}

func (t Target) lookCredentials(context.Context) (sight, error) {
	var s sight
	for _, p := range credentialPaths(t.kubeadmDir()) {
		if p.path != pkiDir && filepath.Base(p.path) != "pki" {
			t.addPath(&s, p)
		}
	}
	s.missed(KindDir, t.places().CertDir, t.lookCertificates(&s))
	names, err := t.names(manifestsDir)
	s.missed(KindDir, manifestsDir, err)
	for _, name := range names {
		t.addManifest(&s, name)
	}
	names, err = t.names(pkiDir)
	s.missed(KindDir, pkiDir, err)
	for _, name := range names {
		t.addPath(&s, ownPath{Kubeadm, filepath.Join(pkiDir, name)})
	}
	t.addHollow(&s, ownPath{Kubeadm, pkiDir}, ownPath{Kubeadm, manifestsDir}, ownPath{Kubeadm, kubernetesDir})
	for _, root := range t.roots() {
		t.addHollow(&s, ownPath{Kubelet, root})
	}
	for _, dir := range append([]string{pkiDir, manifestsDir, kubernetesDir}, t.roots()...) {
		if names, err := t.names(dir); err == nil && len(names) == 0 && t.exists(dir) && !t.younger(dir) {
			s.add(Item{Kind: KindDir, Name: dir, Owner: Kubeadm, Fate: Harmless, Detail: "empty", Why: "older than the join, or nothing tells"})
		}
	}
	for i := range s.items {
		if s.items[i].Fate == Goes {
			s.items[i].Why = credentialsLast
		}
	}
	return s, nil
}

// addManifest adds a static pod. It goes with the kubelet, unless somebody had it run on
// this host before the join (kubernetes/kubeadm#2564): kubeadm writes its own after that.
func (t Target) addManifest(s *sight, name string) {
	path := filepath.Join(manifestsDir, name)
	born, err := t.Host.Born(path)
	ours := slices.Contains([]string{"etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml"}, name)
	if ours || err != nil || born.IsZero() || !born.Add(joinMoment).Before(t.Facts.Joined) {
		t.addPath(s, ownPath{Kubelet, path})
		return
	}
	raw, err := host.ReadPlain(t.Host.Path(path), mostOfConf)
	refers := cmp.Or(t.identity().refer(raw, t.Facts.Node, t.Facts.Joined).String(), unread(err))
	s.add(Item{Kind: KindFile, Name: path, Owner: Foreign, Fate: Stays, Why: "a static pod that is older than the join", Refers: refers, Digest: t.digest(path)})
}

// removeCredentials has kubeadm do its part, and then removes what is left of
// the list, mount-safe. kubeadm deletes by path, through mounts, and removes
// every container (cmd/kubeadm/app/cmd/phases/reset/cleanupnode.go, 1.36), so
// it is asked only when there are neither.
func (t Target) removeCredentials(ctx context.Context, report plan.Report) error {
	s, err := t.lookContainers(ctx)
	if err == nil && len(s.goes()) > 0 {
		err = fmt.Errorf("%s runs again", s.goes()[0])
	}
	if err != nil {
		return fmt.Errorf("before kubeadm deletes: %w", err)
	}
	keeps, err := t.staysFromKubeadm(ctx)
	if err != nil {
		return fmt.Errorf("before kubeadm deletes: %w", err)
	}
	switch {
	case !t.Host.Has(ctx, "kubeadm"):
		report("no kubeadm on this host: removing its files without it")
	case keeps != "":
		report("%s stays, and kubeadm would delete it: removing its files without kubeadm", keeps)
	case t.Host.Root != "":
		report("not the root of this machine: kubeadm is not asked")
	default:
		args := []string{"reset", "phase", "cleanup-node"}
		if socket := t.socket(); socket != "" {
			args = append(args, "--cri-socket", "unix://"+socket)
		}
		if _, err := t.Host.Run(ctx, host.Command{Name: "kubeadm", Args: args, Timeout: kubeadmLimit}); err != nil {
			return err
		}
		report("kubeadm reset phase cleanup-node")
	}
	s, err = t.lookCredentials(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, it := range Decide(Inventory{Items: s.items}).Objects {
		if err := t.discard(it); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(summary(errs), left(ctx, t.lookCredentials))
}

// lookCertificates lists what the kubelet keeps in its --cert-dir: all of the usual one,
// unless something there is older than the join, and its own names of another.
func (t Target) lookCertificates(s *sight) error {
	usual := filepath.Join(t.kubeadmDir(), "pki")
	var errs []error
	for _, dir := range slices.Compact([]string{usual, t.real(t.places().CertDir)}) {
		names, err := t.names(dir)
		errs = append(errs, err)
		var stay []string
		for _, name := range names {
			if path := filepath.Join(dir, name); !credentialNames(name) && (dir != usual || !t.younger(path)) {
				stay = append(stay, name)
			}
		}
		if dir == usual && len(stay) == 0 && !t.mounted(dir) {
			t.addPath(s, ownPath{Kubelet, dir})
			continue
		}
		for _, name := range names {
			switch path := filepath.Join(dir, name); {
			case !slices.Contains(stay, name):
				t.addPath(s, ownPath{Kubelet, path})
			case dir == usual:
				t.addForeign(s, path, "no name that a kubelet makes")
			}
		}
		t.addHollow(s, ownPath{Kubelet, dir})
	}
	return errors.Join(errs...)
}

// digest is a hash of a small file of others, to show that it is unchanged;
// empty for what is not a small file.
func (t Target) digest(path string) string {
	const most = 1 << 20
	info, err := os.Lstat(t.Host.Path(path))
	if err != nil || !info.Mode().IsRegular() || info.Size() > most {
		return ""
	}
	raw, err := os.ReadFile(t.Host.Path(path))
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// blocking are the reasons for which `kubeadm join` would refuse this host, as
// its preflight checks see it (cmd/kubeadm/app/preflight/checks.go, 1.36), and
// a leftover that breaks a pod network later. On a host that is a node they
// are all there; they count after a removal.
func (t Target) blocking(inv Inventory) []string {
	var out []string
	if names, err := t.names(manifestsDir); err == nil && slices.ContainsFunc(names, func(name string) bool { return !stayed(inv, filepath.Join(manifestsDir, name)) }) {
		out = append(out, manifestsDir+" is not empty")
	}
	for _, path := range []string{
		"/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/pki/ca.crt",
	} {
		if t.exists(path) {
			out = append(out, path+" exists")
		}
	}
	for _, port := range t.ports() {
		if taken(port) {
			out = append(out, "port "+port+" is in use")
		}
	}
	for _, it := range inv.Ours() {
		if it.Kind == KindLink && it.Name == "cni0" {
			out = append(out, "bridge cni0 still has the old pod network's address")
		}
	}
	return out
}

// stayed reports whether a file is of an inventory, and stays. The host joined once with
// a static pod that was there before, and can again: kubeadm was told to ignore it.
func stayed(inv Inventory, path string) bool {
	return slices.ContainsFunc(inv.With(Stays), func(it Item) bool { return it.Name == path })
}

// ports are those that kubeadm wants free before a join.
func (t Target) ports() []string {
	if t.Facts.ControlPlane {
		return []string{"10250", "6443", "10257", "10259", "2379", "2380"}
	}
	return []string{"10250"}
}

// taken reports whether something listens on a TCP port, as kubeadm finds out:
// by listening there.
func taken(port string) bool {
	l, err := net.Listen("tcp", ":"+port) //nolint:noctx // it returns at once
	if err != nil {
		return true
	}
	_ = l.Close()
	return false
}
