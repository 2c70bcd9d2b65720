// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
)

// signsFile is where a removal writes down what it found of each owner: the first
// things that go take their signs along.
const signsFile = "signs.json"

// witness gathers the signs of a host once for all parts of a look: those that
// are cheap at once, the chains of the packet filter when nothing else tells.
type witness struct {
	once, chains sync.Once
	lock         sync.Mutex
	found        ownership.Marks
}

// with gives a target a witness, which all its parts ask.
func (t Target) with() Target {
	t.seen = &witness{}
	return t
}

// second reports whether an owner has a sign on this host besides those of some
// kinds.
func (t Target) second(owner inventory.Owner, besides ...inventory.Kind) bool {
	w := t.seen
	if w == nil {
		w = &witness{}
	}
	w.once.Do(func() { w.found = t.cheapSigns() })
	told := func() bool {
		w.lock.Lock()
		defer w.lock.Unlock()
		return w.found.Besides(owner, besides...)
	}
	if owner == inventory.Foreign || told() {
		return owner != inventory.Foreign
	}
	w.chains.Do(func() {
		found := chainSigns()
		w.lock.Lock()
		defer w.lock.Unlock()
		w.found.Merge(found)
	})
	return told()
}

// cheapSigns are the files, links, pins and ip sets of each owner, and what an
// earlier step wrote down.
func (t Target) cheapSigns() ownership.Marks {
	m := t.recallSigns()
	for _, p := range inventory.WholePaths() {
		if t.base().Exists(p.Path) {
			m.Add(p.Owner, inventory.KindFile)
		}
	}
	if t.base().Credentialed() || t.base().Saved(part.JoinedFile) {
		m.Add(inventory.KubeProxy, inventory.KindFile)
		m.Add(inventory.Kubelet, inventory.KindFile)
	}
	if t.base().Exists(inventory.CNIStateDir + "/networks/cbr0") {
		m.Add(inventory.CNIPlugins, inventory.KindFile)
	}
	confs, _ := t.cni().Confs()
	for _, d := range confs {
		if d.Fate == inventory.Goes && d.Sign != "" {
			m.Add(d.Owner, inventory.KindFile)
		}
	}
	if len(m[inventory.Flannel]) > 0 { // its plugin calls the standard ones, and they make cni0
		m.Add(inventory.CNIPlugins, inventory.KindFile)
	}
	links, _ := dump(netlink.LinkList)
	for _, l := range links {
		m.Add(ownership.Link(l.Attrs().Name, l.Type()), inventory.KindLink)
	}
	sets, _ := netfilter.IPSets()
	for _, name := range sets {
		m.Add(ownership.Sets().Owner(name), inventory.KindIPSet)
	}
	m.Merge(t.pinSigns())
	return m
}

// pinSigns are the names in the BPF file system.
func (t Target) pinSigns() ownership.Marks {
	m, owners := ownership.Marks{}, ownership.Pins()
	for _, dir := range []string{"", "tc/globals"} {
		entries, _ := os.ReadDir(t.Host.Path(filepath.Join(bpfDir, dir)))
		for _, e := range entries {
			m.Add(owners.Owner(filepath.Join(dir, e.Name())), inventory.KindPin)
		}
	}
	return m
}

// chainSigns are the chains and tables of nf_tables.
func chainSigns() ownership.Marks {
	m := ownership.Marks{}
	tables, _ := netfilter.ReadNft()
	by := ownership.FilterSigns(false, nil)
	for _, table := range tables {
		m.Add(by.Tables.Owner(table.Family+" "+table.Name), inventory.KindChain)
		for _, c := range table.Chains {
			if !c.Base && table.Compatible() {
				m.Add(by.Chains.Owner(c.Name), inventory.KindChain)
			}
		}
	}
	return m
}

// recallSigns are those that an earlier step wrote down.
func (t Target) recallSigns() ownership.Marks {
	m := ownership.Marks{}
	if !t.base().Saved(signsFile) {
		return m
	}
	raw, err := host.ReadPlain(filepath.Join(t.Host.Path(t.StateDir), signsFile), part.MostOfFile)
	if err != nil || json.Unmarshal(raw, &m) != nil {
		return ownership.Marks{}
	}
	return m
}

// rememberSigns writes down what was found, once.
func (t Target) rememberSigns() error {
	if t.base().Saved(signsFile) {
		return nil
	}
	m := t.cheapSigns()
	m.Merge(chainSigns())
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the signs of networks: %w", err)
	}
	return t.base().Save(signsFile, raw)
}

// bounded are the facts of the cluster as far as this host can believe them.
func (t Target) bounded() inventory.Facts {
	routes, err := dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return cluster.Believable(t.Facts, nil, nil)
	}
	var main, gateways []netip.Addr
	for _, r := range routes {
		if !everything(r.Dst) {
			continue
		}
		if ip, ok := netip.AddrFromSlice(r.Gw); ok {
			gateways = append(gateways, ip.Unmap())
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			continue
		}
		own, _ := addresses(link)
		main = append(main, own...)
	}
	return cluster.Believable(t.Facts, main, gateways)
}

// views are what all links show of themselves, by their index.
func views() (map[int]linkView, []netlink.Link, error) {
	all, err := dump(netlink.LinkList)
	if err != nil {
		return nil, nil, fmt.Errorf("list links: %w", err)
	}
	out := map[int]linkView{}
	for _, l := range all {
		v := linkView{name: l.Attrs().Name, kind: l.Type()}
		if vxlan, is := l.(*netlink.Vxlan); is {
			v.vni = vxlan.VxlanId
		}
		out[l.Attrs().Index] = v
	}
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return out, all, nil //nolint:nilerr // less is provable then
	}
	for _, a := range addrs {
		ip, ok := netip.AddrFromSlice(a.IP)
		v, known := out[a.LinkIndex]
		if !ok || !known || a.Scope == unix.RT_SCOPE_LINK && !slices.Contains([]string{"dummy"}, v.kind) {
			continue
		}
		ones, _ := a.Mask.Size()
		v.addrs = append(v.addrs, netip.PrefixFrom(ip.Unmap(), ones))
		out[a.LinkIndex] = v
	}
	return out, all, nil
}

// decideOwner says whose a link is.
func (t Target) decideOwner(v linkView) (owner, perhaps inventory.Owner) {
	candidate := ownership.Link(v.name, v.kind)
	if candidate == inventory.Foreign {
		return inventory.Foreign, inventory.Foreign
	}
	c := linkCase{facts: t.Facts, second: t.second(candidate, inventory.KindLink)}
	if v.kind == "bridge" {
		confs, _ := t.cni().Confs()
		c.claimed = slices.ContainsFunc(confs, func(d cni.Decision) bool { return d.Fate != inventory.Goes && slices.Contains(d.Conf.Bridges, v.name) })
	}
	return decideLink(v, c)
}
