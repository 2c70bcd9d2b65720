// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// domain is a directory that a kubelet makes in its root.
type domain struct {
	// name is the kubelet's for it, path where it is, and link what leads there from the
	// root, if it is elsewhere.
	name, path, link string
	// shared says that it is a mount or a link, which an administrator made, or that it is
	// older than the join in a root that is not the usual one: others may keep things
	// there ("plugins" and "checkpoints" are names that other programs choose, too), and only what
	// is provably the kubelet's goes. What is remote is not even looked at: that may hang.
	shared, remote bool
	// made tells what is provably the kubelet's there.
	made maker
}

// pluginsDir is the directory of drivers, each of which keeps there what it wants.
const pluginsDir = "plugins"

// holds reports whether something below a domain is the kubelet's.
func (d domain) holds(path string) bool {
	entry, _, _ := strings.Cut(strings.TrimPrefix(path, d.path+"/"), "/")
	return host.Below(path, d.path) && (!d.shared || d.made(entry, fs.ModeDir))
}

// mountedAt reports whether something is mounted at a path.
func mountedAt(path string, mounts []host.Mount) bool {
	return slices.ContainsFunc(mounts, func(m host.Mount) bool { return m.Path == path })
}

// domains are the kubelet's directories that exist.
func (t Disk) domains(mounts []host.Mount) []domain {
	var out []domain
	for _, root := range t.Roots() {
		for _, name := range inventory.KubeletNames() {
			d := domain{name: name, path: filepath.Join(root, name), made: madeBy(name)}
			if d.shared = mountedAt(d.path, mounts); !d.shared {
				info, err := t.Lstat(d.path)
				if err != nil {
					continue
				}
				if d.shared = info.Mode()&fs.ModeSymlink != 0; d.shared {
					d.path, d.link = t.Resolve(d.path), d.path
				} else if info.IsDir() {
					d.shared = t.perhapsOlder(d.path) || root != inventory.DefaultKubeletRoot && !t.Younger(d.path) ||
						name == pluginsDir && t.holdsOlder(d.path)
				}
			}
			d.remote = d.shared && !t.AtHome(d.path)
			out = append(out, d)
		}
	}
	return out
}

// lookRoot lists what is directly in a root of a kubelet's: what it makes goes, the
// credentials later, and everything else stays.
func (t Disk) lookRoot(s *part.Findings, root string) error {
	names, err := t.Names(root)
	mounts, err2 := t.Mounts()
	if err == nil {
		err = err2
	}
	domains := t.domains(mounts)
	for _, name := range names {
		path := filepath.Join(root, name)
		at := slices.IndexFunc(domains, func(d domain) bool { return d.shared && (d.path == path || d.link == path) })
		switch {
		case root == t.KubeadmDir() && slices.Contains(inventory.KeptForNow(root), name), path == t.Resolve(t.Places().CertDir): // later
		case at < 0 && mountedAt(path, mounts): // not looked at: that may hang
			s.Add(inventory.Item{
				Kind: inventory.KindDir, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays,
				Why: "no name that a kubelet makes, and something is mounted there",
			})
		case at >= 0:
			s.Missed(inventory.KindDir, path, t.lookShared(s, domains[at]))
		case ofKubelet(name, t.Younger(path)):
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
		default:
			t.AddForeign(s, path, "no name that a kubelet makes")
		}
	}
	return err
}

// lookShared lists what is in a directory of the kubelet's that an administrator has
// given it.
func (t Disk) lookShared(s *part.Findings, d domain) error {
	if d.link != "" {
		t.AddForeign(s, d.link, "a link that an administrator made; what the kubelet has made there goes")
	}
	if d.remote {
		s.Add(inventory.Item{
			Kind: inventory.KindDir, Name: d.path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "another machine's file system",
		})
		return nil
	}
	entries, err := t.ReadDir(d.path)
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		if d.made(e.Name(), e.Type()) {
			// The names of drivers are those of many programs: elsewhere a kubelet's own tell by themselves.
			if t.Older(path) || t.Undated() && d.name == pluginsDir && e.Name() != "kubernetes.io" {
				t.addOlder(s, path, "called as a kubelet calls its own")
				if last := &s.Items[len(s.Items)-1]; last.Refers == "" && d.name == inventory.PodsDir {
					last.Refers = "it is called as a pod of this cluster may be: files that date the join may have been made again"
				}
				continue
			}
			if d.name == pluginsDir && t.holdsOlder(path) {
				left := mostAgedInAll
				t.lookOlder(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path}, 0, &left)
				continue
			}
			t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubelet, Path: path})
			continue
		}
		t.AddForeign(s, path, "nothing that a kubelet has made here")
	}
	return err
}

// Check is the first part of a removal: it changes nothing, and fails if anything
// stands against one.
func (t Disk) Check() part.Part {
	return part.Part{
		ID: "objections", Kind: inventory.KindMount,
		Needed: func(ctx context.Context) (bool, error) {
			if err := t.Objections(ctx); err != nil {
				return false, err
			}
			return t.BackUp().Needed(ctx)
		},
		Take: t.tryBackup,
	}
}

// Objections returns an error if this host may not be cleaned as it is: the kubelet was
// given places whose owner is not known, something foreign is mounted
// where a removal deletes, or data that is to stay would go. It only reads.
func (t Disk) Objections(ctx context.Context) error {
	t.Host = t.Located()
	t.Facts.Joined = t.Joined()
	if t.Astray != nil {
		wayOut := "run the command again; if it says the same, look at the kubelet on the host: systemctl status kubelet"
		return plan.Refuse(fmt.Errorf("find out where the kubelet keeps its files: %w", t.Astray), "%s", cmp.Or(plan.HintOf(t.Astray), wayOut))
	}
	p := t.Places()
	node, err := t.Credentialed()
	given, err2 := t.AnyExists(p.Kubeconfig, p.Bootstrap)
	if node || given || err != nil || err2 != nil { // one that cannot be looked at may be there
		p.Kubeconfig, p.Bootstrap = t.usually(p.Kubeconfig), t.usually(p.Bootstrap)
		p.Root = t.KubeletRoot()
		if err := refusal(p, t.Facts.ControlPlane); err != nil {
			return err
		}
	}
	if err := errors.Join(t.mountsInTheWay(), t.noPlaceForBackups()); err != nil {
		return err
	}
	if err := t.mountsBeside(ctx); err != nil {
		return err
	}
	return errors.Join(t.imagesInTheWay(), t.usersInTheWay(), t.dataInTheWay(ctx))
}

// noPlaceForBackups returns an error if backups would go to another machine, which may not
// answer.
func (t Disk) noPlaceForBackups() error {
	if t.Choices.NoBackup || t.Scope.Limited() {
		return nil
	}
	if _, err := t.Follow(inventory.BackupDir); errors.Is(err, host.ErrRemote) {
		return plan.Refuse(fmt.Errorf("keep a backup of the configuration: %w", err),
			"unmount it, or let %s lead to a directory of this host; or remove without a backup: --no-backup", inventory.BackupDir)
	}
	return t.fullForBackups()
}

// usually is the usual name of a kubeconfig that leads to the same file.
func (t Disk) usually(path string) string {
	for _, usual := range []string{inventory.KubernetesDir + "/kubelet.conf", inventory.KubernetesDir + "/bootstrap-kubelet.conf"} {
		if path != "" && t.Resolve(path) == t.Resolve(usual) {
			return usual
		}
	}
	return path
}

// mountsInTheWay returns an error if something is mounted where the kubelet's
// directories are that a removal can neither unmount nor empty.
func (t Disk) mountsInTheWay() error {
	const wayOut = "what is in it stays if it is not mounted: drain the node, stop the kubelet, unmount it and take it out of /etc/fstab or " +
		"its mount unit, start the kubelet; then run the command again"
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	if _, err := t.WrittenDown(); err != nil {
		return plan.Refuse(fmt.Errorf("find out which mounts are an administrator's: %w", err),
			"look at that file on the host, then run the command again")
	}
	domains, roots, ours := t.domains(mounts), t.Roots(), t.Ours(mounts)
	fixed, staying := t.fixedMounts(domains), slices.DeleteFunc(slices.Clone(mounts), ours)
	for _, m := range mounts {
		at := slices.ContainsFunc(domains, func(d domain) bool { return m.Path == d.path })
		own := m.Alone(staying)
		in := slices.ContainsFunc(domains, func(d domain) bool { return d.holds(m.Path) })
		what := fmt.Errorf("%s is a mount of an administrator's (%s, %s from %s%s), and nothing is deleted through one", m.Path, m.Class(),
			m.FSType, m.Source, BoundAt(m))
		switch {
		case at && !own, in && slices.Contains(fixed, m.Path), slices.Contains(roots, m.Path) &&
			m.Class() == host.Remote, !ours(m) && inWhole(m.Path):
			return plan.Refuse(what, wayOut)
		}
	}
	for _, d := range domains {
		if d.link != "" && d.remote {
			return plan.Refuse(fmt.Errorf("%s leads to %s, which is another machine's file system, and nothing is deleted there", d.link, d.path),
				"let the link lead to a directory of this host, or delete it; then run the command again")
		}
	}
	for _, dir := range append([]string{inventory.PKIDir, inventory.ManifestsDir}, t.Places().ConfDirs...) {
		if !t.AtHome(dir) {
			return plan.Refuse(fmt.Errorf("%s is on another machine's file system, and a removal changes what is in it", dir),
				"unmount it, or let the link lead to a directory of this host; then run the command again")
		}
	}
	return nil
}

// inWhole reports whether a path is at or below one that goes with all that is in it.
func inWhole(path string) bool {
	return slices.ContainsFunc(inventory.WholePaths(), func(p inventory.OwnPath) bool { return path == p.Path || host.Below(path, p.Path) })
}

// dataInTheWay returns an error if a path whose data is to stay lies below something
// that goes.
func (t Disk) dataInTheWay(ctx context.Context) error {
	if len(t.Facts.Keep) == 0 || t.Choices.DeleteHostData {
		return nil
	}
	goes, err := t.filesThatGo(ctx)
	if err != nil {
		return err
	}
	for _, path := range t.Facts.Keep {
		if !t.AtHome(path) {
			continue // on another machine, and to look at it may hang
		}
		real := t.Resolve(path)
		own := slices.ContainsFunc(t.Roots(), func(root string) bool {
			return filepath.Dir(real) == root && real == filepath.Clean(path) // a kubelet's directory, which a driver looks at
		})
		for _, it := range goes {
			if it.Manner != inventory.IfEmpty && (host.Below(real, it.Name) || real == it.Name && !own) {
				return plan.Refuse(fmt.Errorf("%s is data that a pod keeps on this host, and it would go with %s", path, it.Name),
					"move it to another directory of the host; or let it go: --delete-host-data")
			}
		}
	}
	return nil
}
