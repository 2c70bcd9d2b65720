// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Files are Kubernetes' and the network's, without the credentials.
func (t Disk) Files() part.Part {
	return part.Part{
		ID: "files", Kind: inventory.KindFile, Look: t.lookFiles,
		Take: func(ctx context.Context, report plan.Report) error { return t.removeFiles(ctx, t.lookFiles, report) },
	}
}

// lookFiles lists the fixed list of paths, and what in shared directories is
// ours by its name.
func (t Disk) lookFiles(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	mounts, err := t.Mounts()
	if err != nil {
		return s, err
	}
	t.lookWhole(&s)
	t.lookLogs(&s, mounts)
	t.lookVolumePlugins(&s)
	for _, root := range t.Roots() {
		s.Missed(inventory.KindFile, root, t.lookRoot(&s, root))
	}
	t.lookNetworks(ctx, &s)
	s.Missed(inventory.KindFile, inventory.KubernetesDir, t.lookKubernetes(&s))
	s.Missed(inventory.KindFile, "kubeconfigs", t.LookKubeconfigs(&s))
	t.AddData(&s)
	t.spareUsed(&s)
	t.lookEmpty(&s)
	return s, t.nameRemade(&s)
}

// lookPlugins takes a plugin for ours if it came with the network: by its
// name, not from a package, and younger than the join.
func (t Disk) lookPlugins(ctx context.Context, s *part.Findings, dir string) error {
	names, err := t.Names(dir)
	for _, name := range names {
		owner := ownership.CNIPlugin(name)
		if owner == inventory.Foreign {
			continue // the standard plugins: thirty of them, and never ours
		}
		path := filepath.Join(dir, name)
		if why := t.before(ctx, path); why != "" {
			it := inventory.Item{Kind: inventory.KindFile, Name: path, Owner: owner, Fate: inventory.Stays, Why: why}
			if why == undated {
				it.Refers, it.Digest = t.Doubt(), t.Digest(path)
			}
			s.Add(it)
			continue
		}
		t.AddPath(s, inventory.OwnPath{Owner: owner, Path: path})
	}
	return err
}

// unpackaged reports whether the error of a package manager is its answer that a file is
// of no package: dpkg-query and rpm end with 1 then. rpm does so for a database, too, that
// it cannot read, and says so.
func unpackaged(err error) bool {
	var ended *exec.ExitError
	var said *host.CommandError
	unreadable := errors.As(err, &said) && strings.Contains(said.Output, "error:")
	return errors.As(err, &ended) && ended.ExitCode() == 1 && !unreadable
}

// Packaged says from which package a file is; empty if it is from none. What a package
// manager does not tell is an error.
func (t Disk) Packaged(ctx context.Context, path string) (string, error) {
	for _, asks := range [][]string{{"dpkg-query", "-S", path}, {"rpm", "-qf", path}} {
		if !t.Has(ctx, asks[0]) {
			continue
		}
		cmd := host.Command{Name: asks[0], Args: asks[1:], Timeout: 20 * time.Second}
		out, err := t.Run(ctx, cmd)
		switch {
		case err == nil:
			return strings.TrimSpace(out), nil
		case !unpackaged(err):
			return "", err
		}
	}
	return "", nil
}

// undated is why a file stays of which nothing tells whether it came with the network.
const undated = "nothing tells whether it is older than the join"

// before says why a file was there before Kubernetes was; empty if it was not.
func (t Disk) before(ctx context.Context, path string) string {
	switch from, err := t.Packaged(ctx, path); {
	case err != nil:
		return "nothing tells whether it is from a package: " + err.Error()
	case from != "":
		return "from a package: " + from
	}
	if t.Facts.Joined.IsZero() {
		return undated
	}
	if born, err := t.Birth(path); err != nil || born.IsZero() || born.Before(t.Facts.Joined) {
		return "older than the join"
	}
	return ""
}

// lookKubernetes reports what is in /etc/kubernetes beside what kubeadm puts
// there.
func (t Disk) lookKubernetes(s *part.Findings) error {
	names, err := t.Names(inventory.KubernetesDir)
	mounts, err2 := t.Mounts()
	if err2 != nil {
		return err2
	}
	id, known := t.Cluster(), map[string]bool{inventory.ManifestsDir: true}
	for _, p := range append(inventory.WholePaths(), inventory.CredentialPaths(t.KubeadmDir())...) {
		known[p.Path] = true
	}
	for _, name := range names {
		path := filepath.Join(inventory.KubernetesDir, name)
		if !known[path] && mountedAt(path, mounts) && !t.AtHome(path) { // that may hang
			s.NotLookedAt(inventory.KindDir, path, "another machine's file system is mounted there")
			continue
		}
		if !known[path] && !strings.HasPrefix(name, inventory.RenewalMark) {
			raw, err := t.ReadPlain(path, part.MostOfFile)
			refers := cmp.Or(id.Refer(raw, t.Facts.Node, t.Facts.Joined).String(), part.Unread(err))
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not a file of kubeadm's",
				Refers: refers, Digest: t.Digest(path),
			})
		}
	}
	return err
}

// lookEmpty takes the directories that came with the join and hold nothing but
// what goes, and notes what stays of ours.
func (t Disk) lookEmpty(s *part.Findings) {
	t.AddHollow(s,
		inventory.OwnPath{Owner: inventory.CNIPlugins, Path: inventory.CNIStateDir + "/networks"}, inventory.OwnPath{Owner: inventory.CNIPlugins,
			Path: inventory.CNIStateDir + "/results"},
		inventory.OwnPath{Owner: inventory.CNIPlugins, Path: inventory.CNIStateDir + "/cache"}, inventory.OwnPath{Owner: inventory.CNIPlugins,
			Path: inventory.CNIStateDir},
		inventory.OwnPath{Owner: inventory.Kubelet, Path: inventory.PluginDir + "/volume"},
		inventory.OwnPath{Owner: inventory.Kubelet, Path: inventory.PluginDir}, inventory.OwnPath{Owner: inventory.Kubelet,
			Path: filepath.Dir(inventory.PluginDir)}, inventory.OwnPath{Owner: inventory.Runtime, Path: inventory.NetnsDir})
	if names, err := t.Names(inventory.CNIConfDir); err == nil && len(names) == 0 {
		t.addHarmless(s, inventory.Item{
			Kind: inventory.KindDir, Name: inventory.CNIConfDir, Owner: inventory.CNIPlugins, Detail: "empty",
			Why: "the container runtime watches it",
		})
	}
	t.addHarmless(s, inventory.Item{
		Kind: inventory.KindFile, Name: inventory.XtablesLock, Owner: inventory.KubeProxy,
		Why: "iptables' lock, which every user of it shares; goes with the next boot",
	})
}

// addHarmless adds what stays of ours, if it is there.
func (t Disk) addHarmless(s *part.Findings, it inventory.Item) {
	is, err := t.Exists(it.Name)
	s.Missed(it.Kind, it.Name, err)
	if it.Fate = inventory.Harmless; is {
		s.Add(it)
	}
}

// discard removes a file or directory of a list, or gives one its name back.
func (t Disk) discard(it inventory.Item) error {
	switch it.Manner {
	case inventory.PutBack:
		return t.putBack(it.Name, it.Original)
	case inventory.IfCopy:
		return t.discardKubeconfig(it.Name)
	default:
		return t.Discard(it)
	}
}

// outcomeOf says what was done with what goes.
func outcomeOf(it inventory.Item) string {
	if it.Manner == inventory.PutBack {
		return "gave " + it.Original + " its name back, which a pod network had changed"
	}
	return "removed " + it.Name
}

// tellLogind has systemd-logind read its configuration without what a kubelet wrote there,
// in the way in which the kubelet had it read that: by a signal, since older ones cannot be
// reloaded (pkg/kubelet/nodeshutdown/systemd, ReloadLogindConf; systemd 252).
func (t Disk) tellLogind(ctx context.Context, report plan.Report) {
	cmd := host.Command{Name: "systemctl", Args: []string{"kill", "-s", "HUP", "systemd-logind.service"}, Timeout: 20 * time.Second}
	if _, err := t.Run(ctx, cmd); err != nil {
		report("systemd-logind delays a shutdown as the kubelet wanted it until the next boot: %v", err)
	}
}

// removeFiles removes what goes of a look, mount-safe, and tells of each path of the
// list. A file that cannot be removed does not keep the others. A directory that is there
// again after it was removed twice is another program's that still runs: it is noted, and
// named from then on, since it would be there again for ever.
func (t Disk) removeFiles(ctx context.Context, look func(context.Context) (part.Findings, error), report plan.Report) error {
	if err := t.Unsave(remadeFile); err != nil {
		return err
	}
	var remade []string
	for _, again := range []bool{false, true} {
		s, err := look(ctx)
		if err != nil {
			return err
		}
		goes := inventory.Decide(inventory.Inventory{Items: s.Items}).Objects
		if again {
			goes = slices.DeleteFunc(goes, func(it inventory.Item) bool { return it.Kind != inventory.KindDir || it.Manner != "" })
		}
		if err := t.discardAll(ctx, goes, report); err != nil {
			return err
		}
		remade = nil
		for _, it := range goes {
			remade = append(remade, it.Name)
		}
	}
	if len(remade) > 0 {
		if err := t.Save(remadeFile, []byte(strings.Join(remade, "\x00"))); err != nil {
			return err
		}
	}
	return part.Left(ctx, look)
}

// discardAll removes what goes; what cannot be removed does not keep the others.
func (t Disk) discardAll(ctx context.Context, goes []inventory.Item, report plan.Report) error {
	var errs []error
	for _, it := range goes {
		err := t.MayDiscard(ctx, it)
		if err == nil {
			err = t.discard(it)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		report("%s", outcomeOf(it))
		if filepath.Dir(it.Name) == ownership.LogindDir {
			t.tellLogind(ctx, report)
		}
	}
	return part.Summary(errs)
}
