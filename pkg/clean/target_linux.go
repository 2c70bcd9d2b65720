// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/control"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/devices"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/etcd"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/filter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/hostpaths"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/network"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/runtime"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/traces"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Target is a host, and what is known about the node on it. The zero value
// with Facts and StateDir is this machine.
type Target struct {
	Host    host.Local
	Facts   inventory.Facts
	Choices inventory.Choices
	// Scope limits a look to what one network has made; the zero value for everything.
	Scope inventory.Scope
	// StateDir is a directory of the caller's in which the snapshots of the
	// packet filter and what must outlive an interruption are kept; it is made
	// if it does not exist, only root may read it, and it survives a reboot.
	// It is not part of the inventory.
	StateDir string
	// Door is the id of a container through which one only looks; its pod is
	// no leftover, and not in an inventory. Empty if there is none.
	Door string
	// Reach asks an API server over a new connection; any answer will do. If it
	// worked before packet-filter rules were deleted and does not within Grace
	// (90 s if zero) afterwards, they are brought back. Nil if it cannot be asked.
	Reach func(ctx context.Context) error
	Grace time.Duration
	// seen is what all parts of one look know of the signs of networks.
	seen *witness
	// at is what the places were found to be, astray why they could not be read; nil
	// before they are looked for.
	at     *part.Places
	astray error
	// memory is what a look has read; nil for a removal, which changes what it reads.
	memory *part.Memory
}

// base is the host as the parts see it.
func (t Target) base() part.Host {
	return part.Host{
		Local: t.Host, Facts: t.Facts, Choices: t.Choices, Scope: t.Scope, StateDir: t.StateDir, Second: t.second, At: t.at, Astray: t.astray,
		Memory: t.memory,
	}
}

func (t Target) cni() cni.Networks { return cni.Networks{Host: t.base()} }

func (t Target) member() etcd.Member { return etcd.Member{Host: t.base()} }

func (t Target) rules() filter.Filter {
	return filter.Filter{Host: t.base(), Reach: t.Reach, Grace: t.Grace}
}

func (t Target) network() network.Network {
	return network.Network{Host: t.base(), PodNetworks: t.runtime().NetworkIDs}
}

func (t Target) runtime() runtime.Runtime {
	return runtime.Runtime{Host: t.base(), Door: t.Door}
}

func (t Target) disk() disk.Disk {
	return disk.Disk{
		Host: t.base(), Credentials: t.control().LookCredentials, Door: t.runtime().DoorIDs, AddData: t.member().AddData,
		MayDiscard: t.member().MayDiscard,
	}
}

// Objections returns an error if this host may not be cleaned as it is: the kubelet was
// given places whose owner is not known, something foreign is mounted
// where a removal deletes, or data that is to stay would go. It only reads.
func (t Target) Objections(ctx context.Context) error {
	t = t.located()
	t.Facts.Joined = t.base().Joined()
	return t.disk().Objections(ctx)
}

// Fresh is the target without what was written down of an earlier join, which an
// unfinished cleaning has left: this host has joined again since. The notes are deleted,
// unless it is only looked at. A run has none but its own.
func (t Target) Fresh(look bool) (Target, error) {
	if !t.base().Outdated() {
		return t, nil
	}
	if look {
		t.StateDir = ""
		return t, nil
	}
	return t, t.base().ForgetNotes()
}

// Undated reports whether nothing tells when this host joined.
func (t Target) Undated() bool { return t.ready().base().Undated() }

// Backup is where the removal has put its backup; empty if it made none.
func (t Target) Backup() string { return t.disk().BackedUp() }

func (t Target) hostPaths() hostpaths.HostPaths {
	disk := t.disk()
	return hostpaths.HostPaths{Host: t.base(), Shares: t.runtime().Shares, Ours: disk.Ours, WrittenDown: disk.WrittenDown,
		Packaged: disk.Packaged}
}

func (t Target) devices() devices.Devices {
	return devices.Devices{Host: t.base(), Ours: t.disk().Ours, Images: t.disk().Images}
}

func (t Target) traces() traces.Traces {
	return traces.Traces{Host: t.base(), Disk: t.disk(), Network: t.network()}
}

func (t Target) control() control.Control {
	return control.Control{Host: t.base(), Containers: t.runtime().Look, Socket: t.runtime().Socket, Remember: t.remember}
}

// RuntimeSocket is where the container runtime listens; empty if there is none.
func (t Target) RuntimeSocket() (string, error) { return t.located().runtime().Socket() }

// Etcd looks at the etcd cluster of which this host runs a member; nil where it
// runs none.
func (t Target) Etcd(ctx context.Context) (*inventory.Etcd, error) { return t.member().View(ctx) }

// Snapshot writes what is in etcd, as this host's member has it, to what begin returns.
func (t Target) Snapshot(ctx context.Context, begin func(size int64) (io.Writer, error)) (found bool, err error) {
	return t.member().Snapshot(ctx, begin)
}

// Bury takes the member of a dead host out of the etcd cluster of which this host
// has one.
func (t Target) Bury(ctx context.Context, b inventory.Burial) (inventory.Buried, error) {
	return t.member().Bury(ctx, b)
}

// ready is the target with what this host itself says about the facts and places.
func (t Target) ready() Target {
	t.Host = t.Host.Remembering()
	t.Facts = t.network().Believed()
	t = t.located()
	t.Facts.Joined = t.base().Joined()
	return t.with()
}

// located is the target with its places read, once for all that is done with it.
func (t Target) located() Target {
	located := t.base().Located()
	t.at, t.astray = located.At, located.Astray
	return t
}

// parts are all parts in the order of a removal, and then those that only report.
func (t Target) parts() []part.Part {
	all := t.unordered()
	if t.Scope.Limited() {
		all = t.networkParts()
	}
	var out []part.Part
	for _, stage := range inventory.Stages() {
		for _, p := range all {
			if p.ID == stage.ID {
				p.Title = stage.Title
				out = append(out, p)
			}
		}
	}
	out = append(out, t.control().Sysctls())
	if t.Scope.Limited() {
		return out
	}
	return append(out, t.control().Reserved(), t.traces().Part(), t.hostPaths().Part(), t.devices().Part())
}

// unordered are the parts that remove something, room by room; inventory.Stages says
// when each has its turn.
func (t Target) unordered() []part.Part {
	kubelet, pods, disk, network, rules := t.control(), t.runtime(), t.disk(), t.network(), t.rules()
	return []part.Part{
		kubelet.Kubelet(), kubelet.Credentials(), kubelet.Release(),
		t.member().Part(),
		pods.Containers(), pods.Processes(), pods.Namespaces(), pods.Cgroups(),
		disk.Check(), disk.PodMounts(), disk.BackUp(), disk.Files(),
		network.Programs(), network.Links(), network.Routes(), network.Connections(), network.Pins(),
		rules.Virtuals(), rules.Rules(), rules.Sets(),
	}
}

// Survey reads the whole host; it takes well under a second and changes
// nothing. It returns an error only if the context ends; parts that cannot be
// read are Inventory.Unchecked.
func (t Target) Survey(ctx context.Context) (inventory.Inventory, error) {
	t.memory = &part.Memory{}
	t = t.ready()
	inv := inventory.Inventory{Items: []inventory.Item{}}
	id, err := t.Host.Identity()
	all := part.Findings{}
	all.Missed(inventory.KindFile, "/etc/machine-id", err)
	all.Missed(inventory.KindUnit, "where the kubelet keeps its files", t.astray)
	all.Missed(inventory.KindFile, "when the host joined", t.base().JoinUnread())
	all.Missed(inventory.KindFile, "what was there before the removal", t.witness().unread)
	inv.Hostname, inv.MachineID, inv.BootID = id.Hostname, id.MachineID, id.BootID
	named := names{}
	for _, p := range t.parts() {
		if err := context.Cause(ctx); err != nil {
			return inv, err
		}
		if p.Look == nil {
			continue
		}
		s, err := p.Look(ctx)
		s.Missed(p.Kind, p.Title, err)
		t.base().Found(s.Items)
		named.add(&all, s.Items)
		all.Unchecked = append(all.Unchecked, s.Unchecked...)
	}
	inv.Items, inv.Unchecked = append(inv.Items, all.Items...), all.Unchecked
	if slices.ContainsFunc(inv.Items, func(it inventory.Item) bool { return it.Kind == inventory.KindMember }) {
		inv.Etcd, _ = t.Etcd(ctx) // its part has just seen it; nil if it is gone by now
	}
	if !t.Scope.Limited() {
		ports, foreign := t.control().Ports()
		inv.Items = append(inv.Items, foreign...)
		inv.Blocking = append(t.control().Blocking(inv), ports...)
	}
	inv.Sort()
	return inv, nil
}

// Recipe is the removal, in its binding order. Each step looks at its part of
// the host again before it does anything, so that running the recipe again
// finishes what was interrupted. A step fails with what is left and, if
// something is in use, by whom; nothing after it is touched then.
func (t Target) Recipe() plan.Plan {
	t = t.ready()
	p := plan.Plan{Title: "Clean the host", Notes: []string{
		"Container images, packages, sysctls and kernel modules stay.",
		"/etc/cni/net.d and other empty directories stay.",
		"Foreign packet-filter rules, links, routes and files stay as they are.",
	}}
	parts := t.parts()
	for _, part := range parts {
		if part.Kind == inventory.KindMount && part.Take != nil {
			part.Take = during(part.Take, parts)
		}
		if part.Take != nil {
			part.Take = t.remembering(part.Take)
			p.Steps = append(p.Steps, part.Step())
		}
	}
	return p
}

// remembering writes down, before anything is changed, what the things that go
// tell about this host: the second look needs it.
func (t Target) remembering(take func(context.Context, plan.Report) error) func(context.Context, plan.Report) error {
	return func(ctx context.Context, report plan.Report) error {
		if err := t.remember(ctx); err != nil {
			return err
		}
		return take(ctx, report)
	}
}

// during does what take does, while those parts that take long to read begin with that.
func during(take func(context.Context, plan.Report) error, parts []part.Part) func(context.Context, plan.Report) error {
	return func(ctx context.Context, report plan.Report) error {
		for _, p := range parts {
			if p.Begin != nil {
				p.Begin(ctx)
			}
		}
		return take(ctx, report)
	}
}
