// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
)

// views are what all links show of themselves, by their index.
func views() (map[int]linkView, []netlink.Link, error) {
	all, err := netlinks.Dump(netlink.LinkList)
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
	addrs, err := netlinks.Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
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
func (t Network) decideOwner(v linkView) (owner, perhaps inventory.Owner) {
	candidate := ownership.Link(v.name, v.kind)
	if candidate == inventory.Foreign {
		return inventory.Foreign, inventory.Foreign
	}
	c := linkCase{facts: t.Facts, second: t.Second(candidate, inventory.KindLink), limited: t.Scope.Limited()}
	if candidate == inventory.KubeRouter && v.kind == "bridge" { // Kilo calls its bridge as kube-router does
		c.second = c.second || t.Second(inventory.Kilo, inventory.KindLink)
	}
	if candidate == inventory.NodeDNS {
		c.dns = t.Places().DNS
	}
	if v.kind == "bridge" {
		confs, err := cni.Networks{Host: t.Host}.Confs()
		c.claimed = err != nil || slices.ContainsFunc(confs, func(d cni.Decision) bool {
			return d.Fate != inventory.Goes && (slices.Contains(d.Conf.Bridges, v.name) || c.limited && d.Conf.DefaultBridge() == v.name)
		})
	}
	if v.kind == "ifb" && candidate == inventory.CNIPlugins { // the limit of a container of people's own has such a name, too
		confs, err := cni.Networks{Host: t.Host}.Confs()
		c.claimed = err != nil || slices.ContainsFunc(confs, func(d cni.Decision) bool {
			return d.Fate != inventory.Goes && d.Conf.Calls("bandwidth")
		})
	}
	return decideLink(v, c)
}

// ofPod says which ports of our bridges are pods'. What that takes is read once, and only
// where there is a port.
func (t Network) ofPod() func(link) bool {
	pods := sync.OnceValue(func() map[int]bool {
		if t.PodNetworks == nil {
			return nil
		}
		return t.PodNetworks()
	})
	held := sync.OnceValue(t.heldNetworks)
	return func(l link) bool {
		p := portView{name: l.Name(), peer: l.Attrs().NetNsID}
		return p.peer >= 0 && ofPod(p, pods(), held)
	}
}

// heldNetworks are the numbers of the network namespaces that a process is in, or that have
// a name.
func (t Network) heldNetworks() map[int]bool {
	out, seen := map[int]bool{}, map[string]bool{}
	_ = host.Processes(func(pid int) bool { // one that is not seen holds nothing that is known
		inode, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
		if err != nil || seen[inode] {
			return true
		}
		seen[inode] = true
		if id, err := netlink.GetNetNsIdByPid(pid); err == nil {
			out[id] = true
		}
		return true
	})
	names, _ := t.Names(inventory.NetnsDir) // the part that looks at them says what is not known
	for _, name := range names {
		if id, err := t.NetworkID(filepath.Join(inventory.NetnsDir, name)); err == nil {
			out[id] = true
		}
	}
	return out
}
