// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/network"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
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
	// unread is why what earlier steps wrote down could not be read: things may be taken
	// for foreign then that are not.
	unread error
}

// with gives a target a witness, which all its parts ask.
func (t Target) with() Target {
	t.seen = &witness{}
	return t
}

// second reports whether an owner has a sign on this host besides those of some
// kinds.
func (t Target) second(owner inventory.Owner, besides ...inventory.Kind) bool {
	w := t.witness()
	told := func() bool {
		w.lock.Lock()
		defer w.lock.Unlock()
		return w.found.Besides(owner, besides...) && w.found.Grounded(owner)
	}
	if owner == inventory.Foreign || told() {
		return owner != inventory.Foreign
	}
	w.addChains()
	return told()
}

// witness is that of this target, which has looked at what is cheap.
func (t Target) witness() *witness {
	w := t.seen
	if w == nil {
		w = &witness{}
	}
	w.once.Do(func() { w.found, w.unread = t.cheapSigns() })
	return w
}

// addChains adds the signs of the packet filter, once.
func (w *witness) addChains() {
	w.chains.Do(func() {
		found := chainSigns()
		w.lock.Lock()
		defer w.lock.Unlock()
		w.found.Merge(found)
	})
}

// allSigns are those that the parts are told of, and those of the packet filter.
func (t Target) allSigns() ownership.Marks {
	w := t.witness()
	w.addChains()
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.found
}

// cheapSigns are the files, links, pins and ip sets of each owner, and what an
// earlier step wrote down. What cannot be looked at now is no sign; the part that it
// belongs to says so.
func (t Target) cheapSigns() (ownership.Marks, error) {
	m, unread := t.recallSigns()
	t.addPaths(m)
	joined, err := t.base().Saved(part.JoinedFile)
	unread = errors.Join(unread, err)
	if credentials, err := t.base().Credentialed(); joined || err == nil && credentials {
		m.Add(inventory.KubeProxy, inventory.KindFile)
		m.Add(inventory.Kubelet, inventory.KindFile)
	}
	if is, err := t.base().Exists(inventory.CNIStateDir + "/networks/cbr0"); err == nil && is {
		m.Add(inventory.CNIPlugins, inventory.KindFile)
	}
	confs, _ := t.cni().All()
	for _, d := range confs {
		if d.Fate == inventory.Goes && d.Sign != "" {
			m.Add(d.Owner, inventory.KindFile)
		}
	}
	if len(m[inventory.Flannel]) > 0 { // its plugin calls the standard ones, and they make cni0
		m.Add(inventory.CNIPlugins, inventory.KindFile)
	}
	if t.base().Places().NodeLocalDNS() { // what else would answer there
		m.Add(inventory.NodeDNS, inventory.KindFlags)
	}
	m.Merge(kernelSigns())
	m.Merge(t.pinSigns())
	return m, unread
}

// addPaths adds the directories of each network. One in memory is made again by each start of
// the network's agent: where such an agent runs on this host itself, it is not the pods'.
func (t Target) addPaths(m ownership.Marks) {
	onHost := sync.OnceValue(t.runtime().HostAgents)
	for _, p := range inventory.WholePaths() {
		is, err := t.base().Exists(p.Path)
		switch {
		case err != nil || !is:
		case !ownership.InMemory(p.Path):
			// What stays as older than the join tells nothing of what has been there since.
			if t.base().Younger(p.Path) {
				m.Add(p.Owner, inventory.KindFile)
			}
		case !t.base().Older(p.Path) && !onHost()[p.Owner]:
			m.Add(p.Owner, inventory.KindFile)
		}
	}
}

// kernelSigns are links and ip sets.
func kernelSigns() ownership.Marks {
	m := ownership.Marks{}
	links, _ := netlinks.Dump(netlink.LinkList)
	for _, l := range links {
		m.Add(ownership.Link(l.Attrs().Name, l.Type()), inventory.KindLink)
	}
	sets, _ := netfilter.IPSets()
	for _, name := range sets {
		m.Add(ownership.Sets().Owner(name), inventory.KindIPSet)
	}
	return m
}

// pinSigns are the names in the BPF file system.
func (t Target) pinSigns() ownership.Marks {
	m, owners := ownership.Marks{}, ownership.Pins()
	for _, dir := range []string{"", "tc/globals"} {
		entries, _ := os.ReadDir(t.Host.Path(filepath.Join(network.BPFDir, dir)))
		for _, e := range entries {
			owner, perhaps := owners.Decide(filepath.Join(dir, e.Name()), nil)
			m.Add(owner, inventory.KindPin)
			m.Add(perhaps, inventory.KindPin)
		}
	}
	return m
}

// chainSigns are the chains and tables of nf_tables.
func chainSigns() ownership.Marks {
	m := ownership.Marks{}
	tables, _ := netfilter.ReadChains()
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
func (t Target) recallSigns() (ownership.Marks, error) {
	m := ownership.Marks{}
	saved, err := t.base().Saved(signsFile)
	if err != nil || !saved {
		return m, err
	}
	raw, err := host.ReadPlain(filepath.Join(t.Host.Path(t.StateDir), signsFile), part.MostOfFile)
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		return ownership.Marks{}, fmt.Errorf("read what an earlier step has found of networks: %w", err)
	}
	return m, nil
}

// rememberSigns writes down what was found, once.
func (t Target) rememberSigns() error {
	return t.base().Keep(signsFile, func() ([]byte, error) {
		raw, err := json.Marshal(t.allSigns())
		if err != nil {
			return nil, fmt.Errorf("encode the signs of networks: %w", err)
		}
		return raw, nil
	})
}
