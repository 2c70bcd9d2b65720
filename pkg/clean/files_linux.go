// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func (t Target) files() part {
	return part{
		id: "files", title: "Remove Kubernetes' and the network's files", kind: KindFile,
		look: t.lookFiles, take: t.removeFiles,
	}
}

// lookFiles lists the fixed list of paths, and what in shared directories is
// ours by its name.
func (t Target) lookFiles(ctx context.Context) (sight, error) {
	var s sight
	for _, p := range wholePaths() {
		t.addPath(&s, p)
	}
	for _, root := range t.roots() {
		s.missed(KindFile, root, t.lookRoot(&s, root))
	}
	t.lookOverrides(&s)
	s.missed(KindFile, cniConfDir, t.lookConf(&s))
	for _, dir := range t.places().BinDirs {
		s.missed(KindFile, dir, t.lookPlugins(ctx, &s, dir))
	}
	s.missed(KindFile, cniStateDir, t.lookCNIState(&s))
	s.missed(KindFile, kubernetesDir, t.lookKubernetes(&s))
	s.missed(KindFile, "kubeconfigs", t.lookKubeconfigs(&s))
	t.addData(&s)
	t.lookEmpty(&s)
	return s, nil
}

// addPath adds a path that goes, if it exists.
func (t Target) addPath(s *sight, p ownPath) {
	info, err := os.Lstat(t.Host.Path(p.path))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.missed(KindFile, p.path, err)
		}
		return
	}
	it := Item{Kind: KindFile, Name: p.path, Owner: p.owner, Fate: Goes}
	if info.IsDir() {
		it.Kind = KindDir
		it.Detail = t.entries(p.path)
	}
	s.add(it)
}

// entries says how many there are in a directory, to show it. A pod may have made
// millions.
func (t Target) entries(dir string) string {
	const most = 10_000
	f, err := os.Open(t.Host.Path(dir))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was read
	n := 0
	for n <= most {
		names, err := f.Readdirnames(1000)
		if n += len(names); err != nil {
			return fmt.Sprintf("%d entries", n)
		}
	}
	return fmt.Sprintf("more than %d entries", most)
}

// names lists a directory; one that does not exist is empty.
func (t Target) names(dir string) ([]string, error) {
	entries, err := os.ReadDir(t.Host.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}

// lookPlugins takes a plugin for ours if it came with the network: by its
// name, not from a package, and younger than the join.
func (t Target) lookPlugins(ctx context.Context, s *sight, dir string) error {
	names, err := t.names(dir)
	for _, name := range names {
		owner := cniBinOwner(name)
		if owner == Foreign {
			continue // the standard plugins: thirty of them, and never ours
		}
		path := filepath.Join(dir, name)
		if why := t.before(ctx, path); why != "" {
			s.add(Item{Kind: KindFile, Name: path, Owner: owner, Fate: Stays, Why: why})
			continue
		}
		t.addPath(s, ownPath{owner, path})
	}
	return err
}

// before says why a file was there before Kubernetes was; empty if it was not.
func (t Target) before(ctx context.Context, path string) string {
	for _, asks := range [][]string{{"dpkg-query", "-S", path}, {"rpm", "-qf", path}} {
		if !t.Host.Has(ctx, asks[0]) {
			continue
		}
		cmd := host.Command{Name: asks[0], Args: asks[1:], Timeout: 20 * time.Second}
		if out, err := t.Host.Run(ctx, cmd); err == nil {
			return "from a package: " + strings.TrimSpace(out)
		}
	}
	if t.Facts.Joined.IsZero() {
		return "nothing tells whether it is older than the join"
	}
	if born, err := t.Host.Born(path); err != nil || born.IsZero() || born.Before(t.Facts.Joined) {
		return "older than the join"
	}
	return ""
}

// lookKubernetes reports what is in /etc/kubernetes beside what kubeadm puts
// there.
func (t Target) lookKubernetes(s *sight) error {
	names, err := t.names(kubernetesDir)
	id, known := t.identity(), map[string]bool{manifestsDir: true}
	for _, p := range append(wholePaths(), credentialPaths(t.kubeadmDir())...) {
		known[p.path] = true
	}
	for _, name := range names {
		if path := filepath.Join(kubernetesDir, name); !known[path] {
			raw, err := host.ReadPlain(t.Host.Path(path), mostOfConf)
			refers := cmp.Or(id.refer(raw, t.Facts.Node, t.Facts.Joined).String(), unread(err))
			s.add(Item{Kind: KindFile, Name: path, Owner: Foreign, Fate: Stays, Why: "not a file of kubeadm's", Refers: refers, Digest: t.digest(path)})
		}
	}
	return err
}

// lookEmpty takes the directories that came with the join and hold nothing but
// what goes, and notes what stays of ours.
func (t Target) lookEmpty(s *sight) {
	t.addHollow(s,
		ownPath{CNIPlugins, cniStateDir + "/networks"}, ownPath{CNIPlugins, cniStateDir + "/results"},
		ownPath{CNIPlugins, cniStateDir + "/cache"}, ownPath{CNIPlugins, cniStateDir},
		ownPath{Kubelet, pluginDir + "/volume/exec"}, ownPath{Kubelet, pluginDir + "/volume"},
		ownPath{Kubelet, pluginDir}, ownPath{Kubelet, filepath.Dir(pluginDir)}, ownPath{Runtime, netnsDir})
	if names, err := t.names(cniConfDir); err == nil && len(names) == 0 && t.exists(cniConfDir) {
		s.add(Item{Kind: KindDir, Name: cniConfDir, Owner: CNIPlugins, Fate: Harmless, Detail: "empty", Why: "the container runtime watches it"})
	}
	if t.exists(xtablesLock) {
		s.add(Item{Kind: KindFile, Name: xtablesLock, Owner: KubeProxy, Fate: Harmless, Why: "iptables' lock, which every user of it shares; goes with the next boot"})
	}
}

// addHollow adds those of some directories, deepest first, that came with the
// join and hold nothing but what goes.
func (t Target) addHollow(s *sight, dirs ...ownPath) {
	for _, dir := range dirs {
		names, err := t.names(dir.path)
		if err != nil || !t.exists(dir.path) || !t.younger(dir.path) || t.mounted(dir.path) {
			continue
		}
		goes := func(name string) bool {
			return slices.ContainsFunc(s.goes(), func(it Item) bool { return it.Name == filepath.Join(dir.path, name) })
		}
		if !slices.ContainsFunc(names, func(name string) bool { return !goes(name) }) {
			s.add(Item{Kind: KindDir, Name: dir.path, Owner: dir.owner, Fate: Goes, Detail: hollow})
		}
	}
}

// hollow is the detail of a directory that goes once nothing is in it, and stays if
// anything else turns out to be.
const hollow = "empty after that"

// discard removes a file or directory of a list.
func (t Target) discard(it Item) error {
	if original, is := strings.CutPrefix(it.Detail, returns); is {
		return t.putBack(it.Name, original)
	}
	switch {
	case it.Kind == KindDir && it.Detail == hollow:
		return t.Host.RemoveEmpty(it.Name)
	case it.Detail == copied:
		return t.discardKubeconfig(it.Name)
	}
	return t.Host.Remove(it.Name)
}

// outcomeOf says what was done with what goes.
func outcomeOf(it Item) string {
	if original, is := strings.CutPrefix(it.Detail, returns); is {
		return "gave " + original + " its name back, which a pod network had changed"
	}
	return "removed " + it.Name
}

// joinMoment is how long before the file that dates the join things are made by it.
const joinMoment = 500 * time.Millisecond

// younger reports whether a directory was made by the join or after it. kubeadm
// makes one just before the first file in it, which dates the join.
func (t Target) younger(path string) bool {
	if copied, err := t.Host.Copied(path); err != nil || copied {
		return false // it may have been there before
	}
	born, err := t.Host.Born(path)
	return err == nil && !born.IsZero() && !t.Facts.Joined.IsZero() && !born.Before(t.Facts.Joined.Add(-joinMoment))
}

// removeFiles removes what goes, mount-safe, and tells of each path of the
// list. A file that cannot be removed does not keep the others.
func (t Target) removeFiles(ctx context.Context, report plan.Report) error {
	var errs []error
	s, err := t.lookFiles(ctx)
	if err != nil {
		return err
	}
	for _, it := range Decide(Inventory{Items: s.items}).Objects {
		err := t.mayDiscard(ctx, it)
		if err == nil {
			err = t.discard(it)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		report("%s", outcomeOf(it))
	}
	if len(errs) > 0 {
		return summary(errs)
	}
	return left(ctx, t.lookFiles)
}
