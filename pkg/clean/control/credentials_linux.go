// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// kubeadmLimit bounds kubeadm: on a control plane it may ask a dead API server
// for its configuration for a minute.
const kubeadmLimit = 3 * time.Minute

// Credentials are what makes the kubelet this node: the last to go.
func (t Control) Credentials() part.Part {
	return part.Part{
		ID: "credentials", Kind: inventory.KindFile,
		Look: t.LookCredentials, Take: t.removeCredentials,
	}
}

// LookCredentials finds them; it only reads.
func (t Control) LookCredentials(context.Context) (part.Findings, error) {
	var s part.Findings
	for _, p := range inventory.CredentialPaths(t.KubeadmDir()) {
		if p.Path != inventory.PKIDir && filepath.Base(p.Path) != "pki" {
			t.AddPath(&s, p)
		}
	}
	s.Missed(inventory.KindDir, t.Places().CertDir, t.lookCertificates(&s))
	names, err := t.Names(inventory.ManifestsDir)
	s.Missed(inventory.KindDir, inventory.ManifestsDir, err)
	for _, name := range names {
		if !t.Away(&s, inventory.KindFile, filepath.Join(inventory.ManifestsDir, name)) {
			t.addManifest(&s, name)
		}
	}
	names, err = t.Names(inventory.PKIDir)
	s.Missed(inventory.KindDir, inventory.PKIDir, err)
	for _, name := range names {
		if !t.Away(&s, inventory.KindFile, filepath.Join(inventory.PKIDir, name)) {
			t.addSecret(&s, name)
		}
	}
	t.addRenewals(&s)
	t.AddHollow(&s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: inventory.BackupDir}, inventory.OwnPath{Owner: inventory.Kubeadm,
		Path: inventory.PKIDir}, inventory.OwnPath{Owner: inventory.Kubeadm,
		Path: inventory.ManifestsDir}, inventory.OwnPath{Owner: inventory.Kubeadm, Path: inventory.KubernetesDir})
	for _, root := range t.Roots() {
		t.AddHollow(&s, inventory.OwnPath{Owner: inventory.Kubelet, Path: root})
	}
	t.addEmpty(&s)
	for i := range s.Items {
		if s.Items[i].Fate == inventory.Goes {
			s.Items[i].Turn, s.Items[i].Why = inventory.AsCredential, "last, since it is the way back"
		}
	}
	return s, nil
}

// addEmpty adds the empty directories that were there before the join, or may have been.
func (t Control) addEmpty(s *part.Findings) {
	for _, dir := range append([]string{inventory.PKIDir, inventory.ManifestsDir, inventory.KubernetesDir}, t.Roots()...) {
		names, err := t.Names(dir)
		is, unread := t.Exists(dir)
		s.Missed(inventory.KindDir, dir, unread)
		if err == nil && len(names) == 0 && is && !t.Younger(dir) {
			s.Add(inventory.Item{
				Kind: inventory.KindDir, Name: dir, Owner: inventory.Kubeadm, Fate: inventory.Harmless, Detail: "empty",
				Why: "older than the join, or its age is unknown",
			})
		}
	}
}

// addManifest adds a static pod. It goes with the kubelet that ran it, unless it is older than
// the join (kubernetes/kubeadm#2564): kubeadm writes its own after that. On a host that never
// joined, as far as anything tells, there is only what it had before. One that is not kubeadm's
// is a person's: it goes if the backup has it, and is named.
func (t Control) addManifest(s *part.Findings, name string) {
	path := filepath.Join(inventory.ManifestsDir, name)
	born, err := t.Birth(path)
	if err != nil { // nothing tells whether it is the administrator's
		s.Missed(inventory.KindFile, path, err)
		return
	}
	m := manifest{path: path, name: name, born: born}
	m.raw, m.unread = t.ReadPlain(path, part.MostOfFile)
	m.own = component(name, m.raw)
	switch why, refers := t.staticPodStays(m); {
	case why != "":
		s.Add(inventory.Item{
			Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Digest: t.Digest(path),
			Refers: cmp.Or(t.Cluster().Refer(m.raw, t.Facts.Node, t.Facts.Joined).String(), part.Unread(m.unread), refers),
		})
	case m.own:
		t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
	default:
		t.addPersonal(s, path, m.foreign())
	}
}

// manifest is a file among the static pods; own says that one of kubeadm's is in it.
type manifest struct {
	path, name string
	born       time.Time
	raw        []byte
	unread     error
	own        bool
}

// foreign says why it may be a person's.
func (m manifest) foreign() string {
	if named(m.name) {
		return "called as a static pod of kubeadm's, with another one in it"
	}
	return "no static pod of kubeadm's"
}

// staticPodStays says why a static pod stays, and how it refers to the cluster; empty if it goes.
func (t Control) staticPodStays(m manifest) (why, refers string) {
	id := t.Cluster()
	switch {
	case m.own && named(m.name):
	case t.Undated() && len(id.Authorities)+len(id.Endpoints) == 0:
		return "a static pod, and nothing shows that this host was a node", ""
	case t.Older(m.path):
		return "a static pod that is older than the join", ""
	case m.own:
	case t.Undated():
		return m.foreign() + "; its age is unknown", t.Doubt()
	case t.IsDir(m.path) && !t.empty(m.path):
		return "a directory among the static pods, where no kubelet looks", "it was made since the join, and may be the cluster's"
	case part.Unread(m.unread) != "":
		return m.foreign(), ""
	case t.LeftOut(m.path, m.raw) != "":
		return m.foreign() + ", and no backup has it: " + t.LeftOut(m.path, m.raw), "it was made since the join, and a kubelet would run it"
	}
	return "", ""
}

// empty reports whether a directory is known to have nothing in it.
func (t Control) empty(dir string) bool {
	names, err := t.Names(dir)
	return err == nil && len(names) == 0
}

// addPersonal adds what goes and may be a person's own.
func (t Control) addPersonal(s *part.Findings, path, why string) {
	before := len(s.Items)
	t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
	for i := before; i < len(s.Items); i++ {
		if s.Items[i].Fate == inventory.Goes {
			s.Items[i].Personal, s.Items[i].Detail = why, "not kubeadm's"
		}
	}
}

// removeCredentials has kubeadm do its part, and then removes what is left of
// the list, mount-safe. kubeadm deletes by path, through mounts, and removes
// every container (cmd/kubeadm/app/cmd/phases/reset/cleanupnode.go, 1.36), so
// it is asked only when there are neither.
func (t Control) removeCredentials(ctx context.Context, report plan.Report) error {
	s, err := t.Containers(ctx)
	if err == nil && len(s.Goes()) > 0 {
		err = fmt.Errorf("%s runs again", s.Goes()[0])
	}
	if err != nil {
		return fmt.Errorf("not running kubeadm reset: %w", err)
	}
	keeps, err := t.staysFromKubeadm(ctx)
	if err != nil {
		return fmt.Errorf("not running kubeadm reset: %w", err)
	}
	switch {
	case !t.Has(ctx, "kubeadm"):
		report("no kubeadm on this host: removing its files without it")
	case keeps != "":
		report("%s stays, and kubeadm would delete it: removing its files without kubeadm", keeps)
	case t.Root != "":
		report("not the root of this machine: kubeadm is not asked")
	default:
		args := []string{"reset", "phase", "cleanup-node"}
		socket, err := t.Socket()
		if err != nil {
			return fmt.Errorf("not running kubeadm reset: %w", err)
		}
		if socket != "" {
			args = append(args, "--cri-socket", "unix://"+socket)
		}
		if _, err := t.Run(ctx, host.Command{Name: "kubeadm", Args: args, Timeout: kubeadmLimit}); err != nil {
			return err
		}
		report("kubeadm reset phase cleanup-node")
	}
	s, err = t.LookCredentials(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, it := range inventory.Decide(inventory.Inventory{Items: s.Items}).Objects {
		if err := t.Discard(it); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(part.Summary(errs), part.Left(ctx, t.LookCredentials))
}

// lookCertificates lists what the kubelet keeps in its --cert-dir: all of the usual one,
// unless something there is older than the join, and its own names of another.
func (t Control) lookCertificates(s *part.Findings) error {
	usual := filepath.Join(t.KubeadmDir(), "pki")
	var errs []error
	for _, dir := range slices.Compact([]string{usual, t.Resolve(t.Places().CertDir)}) {
		names, err := t.Names(dir)
		errs = append(errs, err)
		away := func(name string) bool { return t.Away(s, inventory.KindFile, filepath.Join(dir, name)) }
		whole := len(names)
		names = slices.DeleteFunc(names, away)
		var stay []string
		for _, name := range names {
			if path := filepath.Join(dir, name); !inventory.CredentialName(name) && (dir != usual || !t.Younger(path)) {
				stay = append(stay, name)
			}
		}
		if dir == usual && len(stay) == 0 && len(names) == whole && !t.Mounted(dir) {
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: dir})
			continue
		}
		for _, name := range names {
			switch path := filepath.Join(dir, name); {
			case !slices.Contains(stay, name):
				t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
			case dir == usual:
				t.AddForeign(s, path, "no name that a kubelet makes")
			}
		}
		t.AddHollow(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: dir})
	}
	return errors.Join(errs...)
}

// Blocking are the reasons for which `kubeadm join` would refuse this host, as
// its preflight checks see it (cmd/kubeadm/app/preflight/checks.go, 1.36), and
// a leftover that breaks a pod network later. On a host that is a node they
// are all there; they count after a removal.
func (t Control) Blocking(inv inventory.Inventory) []string {
	var out []string
	names, err := t.Names(inventory.ManifestsDir)
	switch {
	case err != nil:
		out = append(out, inventory.ManifestsDir+" cannot be read")
	case slices.ContainsFunc(names, func(name string) bool { return !stayed(inv, filepath.Join(inventory.ManifestsDir, name)) }):
		out = append(out, inventory.ManifestsDir+" is not empty")
	}
	for _, path := range []string{
		"/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/pki/ca.crt",
	} {
		is, err := t.Exists(path)
		switch {
		case err != nil:
			out = append(out, path+" cannot be looked at")
		case is:
			out = append(out, path+" exists")
		}
	}
	for _, it := range inv.Ours() {
		if it.Kind == inventory.KindLink && it.Name == "cni0" {
			out = append(out, "bridge cni0 still has the old pod network's address")
		}
	}
	return out
}

// stayed reports whether a file is of an inventory, and stays. The host joined once with
// a static pod that was there before, and can again: kubeadm was told to ignore it.
func stayed(inv inventory.Inventory, path string) bool {
	return slices.ContainsFunc(inv.With(inventory.Stays), func(it inventory.Item) bool { return it.Name == path })
}
