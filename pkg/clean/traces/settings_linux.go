// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The bounds of what is read of settings: files that fit a pattern, of one of them (a list of
// blocked names in /etc/hosts has some MB) and of all.
const (
	mostAsking     = 512
	mostOfSetting  = 8 << 20
	mostOfSettings = 64 << 20
)

// asking is a search of settings of the host's own.
type asking struct {
	t    Traces
	seen map[string]bool
	read int64
}

// lookAsking finds settings of the host's own that name an address of the cluster: with
// the cluster gone from the host, nothing answers there. A packet filter that was saved while
// the host was a node comes back with the next boot.
func (t Traces) lookAsking(s *part.Findings, links []held) {
	r, files := reaching(t.Facts, t.Places().DNS, own(links)), askingFiles(t.Places())
	id, _ := t.Identity() // a host without a name has none to spare
	endpoints, hostnames := t.Cluster().Endpoints, []string{id.Hostname, t.Facts.Node}
	if t.Places().MoreDNS {
		s.NotLookedAt(inventory.KindFile, t.Places().Config, "it names more DNS servers than are read, so settings may name others of them")
	}
	a := asking{t: t, seen: map[string]bool{}}
	for _, pattern := range slices.Sorted(maps.Keys(files)) {
		a.look(s, pattern, func(at, setting string) string {
			if what := r.asks(setting); what != "" {
				return fmt.Sprintf(files[pattern], what)
			}
			return r.resolves(at, setting, endpoints, hostnames)
		})
	}
	for _, pattern := range savedFilters() {
		a.look(s, pattern, func(_, setting string) string { return r.saved(setting) })
	}
	for _, list := range []string{projectsFile, projidFile} {
		a.look(s, list, func(at, setting string) string { return quotas(at, setting, t.Roots()) })
	}
}

// look names the files that fit a pattern of which refers says something.
func (a *asking) look(s *part.Findings, pattern string, refers func(at, setting string) string) {
	t := a.t
	before, _, _ := strings.Cut(pattern, "*")
	if !t.AtHome(filepath.Dir(before)) { // not even listed
		return
	}
	found, err := t.Glob(pattern)
	if errors.Is(err, host.ErrRemote) {
		return
	}
	s.Missed(inventory.KindFile, pattern, err)
	if more := len(found) - mostAsking; more > 0 {
		s.NotLookedAt(inventory.KindFile, pattern, fmt.Sprintf("there are %d more files than are read", more))
	}
	for _, at := range found[:min(len(found), mostAsking)] {
		real := t.Resolve(at)
		if !t.AtHome(at) || a.seen[real] {
			continue
		}
		a.seen[real] = true
		setting, cut, err := a.setting(real)
		s.Missed(inventory.KindFile, at, notRead(err))
		switch how := refers(at, setting); {
		case how != "":
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: at, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "a setting of this host's own, which no " +
					"pod network is known to write",
				Refers: how, Digest: t.Digest(real),
			})
		case cut:
			s.NotLookedAt(inventory.KindFile, at, "in part; it is larger than is read of settings")
		}
	}
}

// setting is what a file says, and whether there is more of it than is read.
func (a *asking) setting(real string) (setting string, cut bool, err error) {
	most := min(mostOfSetting, mostOfSettings-a.read)
	raw, err := a.t.ReadHead(real, most+1)
	a.read += min(int64(len(raw)), most)
	if cut = int64(len(raw)) > most; cut {
		raw = raw[:most]
	}
	return string(raw), cut, err
}

// lookHandlers names the configurations of container runtimes that have it run a program
// which came since the join and is from no package, or which is gone: each pod of the next
// cluster is started by it, or fails (NVIDIA/gpu-operator#188, nvidia-container-toolkit#1328).
// What a configuration of before the join names and is not there may never have been: kind's
// own names a plugin that few hosts run.
func (t Traces) lookHandlers(ctx context.Context, s *part.Findings) {
	files := append([]string{"/etc/docker/daemon.json"}, t.Places().RuntimeFiles...)
	for _, path := range files[:min(len(files), mostAsking)] {
		if !t.AtHome(path) {
			continue // named by what looks for addresses
		}
		raw, err := t.ReadPlain(t.Resolve(path), part.MostOfFile)
		if err != nil {
			continue
		}
		said, undated := t.foreignPrograms(ctx, string(raw), t.Before(t.Resolve(path)))
		if undated && t.known() {
			s.NotLookedAt(inventory.KindFile, path, "nothing tells when this host joined, so the programs that it names may be older or not")
		}
		if len(said) > 0 {
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Digest: t.Digest(t.Resolve(path)),
				Why:    "a setting of this host's own",
				Refers: "the container runtime runs " + text.Some(slices.Compact(said)),
			})
		}
	}
}

// foreignPrograms are what a configuration of a container runtime's names that came since
// the join or, unless the configuration is as it was before, is not there; undated says that
// there are some of which nothing tells when they came.
func (t Traces) foreignPrograms(ctx context.Context, config string, untouched bool) (said []string, undated bool) {
	programs, sockets := handlers(config)
	for _, program := range programs {
		switch is, err := t.Exists(t.Resolve(program)); {
		case err != nil, !is && untouched:
		case !is:
			said = append(said, program+", which is gone")
		case t.Undated(), t.Younger(t.Resolve(program)):
			from, err := t.Disk.Packaged(ctx, t.Resolve(program))
			switch {
			case err == nil && from != "":
			case t.Undated():
				undated = true
			default:
				said = append(said, program+", which came since the join")
			}
		}
	}
	for _, socket := range sockets {
		if is, err := t.Exists(socket); err == nil && !is && !untouched && strings.Contains(config, "proxy_plugins") {
			said = append(said, "the plugin at "+socket+", which is gone")
		}
	}
	return said, undated
}

// known reports whether anything tells in which cluster this host was.
func (t Traces) known() bool {
	id := t.Cluster()
	return len(id.Authorities)+len(id.Endpoints) > 0
}

// held is a link, and the addresses that it has.
type held struct {
	name  string
	owner inventory.Owner
	addrs []netip.Prefix
}

// links are all links of the host with their addresses.
func (t Traces) links() ([]held, error) {
	all, err := t.Network.All()
	if err != nil {
		return nil, err
	}
	addrs, err := netlinks.Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, err
	}
	of := map[int][]netip.Prefix{}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			ones, _ := a.Mask.Size()
			of[a.LinkIndex] = append(of[a.LinkIndex], netip.PrefixFrom(ip.Unmap(), ones))
		}
	}
	out := make([]held, 0, len(all))
	for _, l := range all {
		out = append(out, held{l.Name(), l.Owner, of[l.Attrs().Index]})
	}
	return out, nil
}

// own are the networks of links that are not the cluster's.
func own(links []held) []netip.Prefix {
	var out []netip.Prefix
	for _, l := range links {
		if l.owner == inventory.Foreign {
			out = append(out, l.addrs...)
		}
	}
	return out
}

// lookGiven names what the kubelet was given and only reads, and says whether it refers to
// the cluster: it may be anywhere. What is beside kubeadm's files is named there.
func (t Traces) lookGiven(s *part.Findings) {
	id, named := t.Cluster(), append(t.Roots(), inventory.KubernetesDir)
	for _, path := range t.Places().Given {
		if slices.ContainsFunc(named, func(dir string) bool { return host.Below(path, dir) }) {
			continue
		}
		if !t.AtHome(path) {
			s.NotLookedAt(inventory.KindFile, path, "another machine's file system is mounted there")
			continue
		}
		if there, err := t.Exists(path); err != nil || !there {
			s.Missed(inventory.KindFile, path, err)
			continue
		}
		raw, err := t.ReadLinked(path, part.MostOfFile)
		t.AddForeign(s, path, "an administrator gave it to the kubelet, which only reads it")
		given := &s.Items[len(s.Items)-1]
		given.Refers = cmp.Or(id.Refer(raw, t.Facts.Node, t.Facts.Joined).String(), part.Unread(err), given.Refers)
	}
}

// notRead is an error that leaves open what a file says.
func notRead(err error) error {
	if part.Unread(err) == "" {
		return nil
	}
	return err
}
