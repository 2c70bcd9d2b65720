// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	for _, p := range credentialPaths(t.root()) {
		if p.path != pkiDir {
			t.addPath(&s, p)
		}
	}
	names, err := t.names(manifestsDir)
	s.missed(KindDir, manifestsDir, err)
	for _, name := range names {
		t.addPath(&s, ownPath{Kubelet, filepath.Join(manifestsDir, name)})
	}
	names, err = t.names(pkiDir)
	s.missed(KindDir, pkiDir, err)
	for _, name := range names {
		t.addPath(&s, ownPath{Kubeadm, filepath.Join(pkiDir, name)})
	}
	t.addHollow(&s, ownPath{Kubeadm, pkiDir}, ownPath{Kubeadm, manifestsDir}, ownPath{Kubeadm, kubernetesDir}, ownPath{Kubelet, t.root()})
	for _, dir := range []string{pkiDir, manifestsDir, kubernetesDir, t.root()} {
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

// removeCredentials has kubeadm do its part, and then removes what is left of
// the list, mount-safe. kubeadm deletes by path, through mounts, and removes
// every container (cmd/kubeadm/app/cmd/phases/reset/cleanupnode.go, 1.36), so
// it is asked only when there are neither.
func (t Target) removeCredentials(ctx context.Context, report plan.Report) error {
	if err := t.noMounts(t.root(), DefaultKubeletRoot, manifestsDir, pkiDir); err != nil && !t.fixedBelow() {
		return fmt.Errorf("before kubeadm deletes: %w", err)
	}
	s, err := t.lookContainers(ctx)
	if err == nil && len(s.goes()) > 0 {
		err = fmt.Errorf("%s runs again", s.goes()[0])
	}
	if err != nil {
		return fmt.Errorf("before kubeadm deletes: %w", err)
	}
	switch {
	case !t.Host.Has(ctx, "kubeadm"):
		report("no kubeadm on this host: removing its files without it")
	case t.fixedBelow():
		report("a mount of /etc/fstab stays below %s, and kubeadm would delete through it: removing its files without it", t.root())
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
	if names, err := t.names(manifestsDir); err == nil && len(names) > 0 {
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
