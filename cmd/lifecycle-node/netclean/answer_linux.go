// SPDX-License-Identifier: Apache-2.0

package netclean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// mostNamed is how many pods a sentence names.
	mostNamed = 5
	// dialLimit is how long an API server may take to accept a connection.
	dialLimit = 5 * time.Second
)

// Order is what a delivery asks for.
func Order(task json.RawMessage) (inventory.NetworkOrder, error) {
	var o inventory.NetworkOrder
	if err := json.Unmarshal(task, &o); err != nil {
		return o, fmt.Errorf("decode the order: %w", err)
	}
	if !o.Known() {
		return o, fmt.Errorf("nothing is known of what %q leaves on hosts", o.Owner)
	}
	return o, o.Validate()
}

// Clean takes a network off this host, or only looks. Notes that outlive an interruption
// are kept in a directory of the caller's, which holds this host's lock. A host that is not
// clean afterwards is no error: the verdict says what is left.
func Clean(ctx context.Context, t clean.Target, o inventory.NetworkOrder) (inventory.NetworkAnswer, error) {
	var out inventory.NetworkAnswer
	t.Facts, t.Choices, t.Scope, t.Reach = o.Facts, o.Choices, o.Scope, reaching(o.APIServers)
	if o.Network() != "" {
		users, err := t.Users(ctx, o.Agents)
		if err != nil {
			return out, plan.Hint(err, "see whether the container runtime answers there: crictl pods")
		}
		out.Pods = slices.DeleteFunc(users.Pods, func(pod string) bool { return slices.Contains(o.Waiting, pod) })
		out.Agents = users.Agents
	}
	before, err := t.Survey(ctx)
	if err != nil {
		return out, err
	}
	if looked(o, before, &out) {
		return out, nil
	}
	if err := mayBegin(o, out); err != nil {
		return out, err
	}
	if _, err := t.NetworkRecipe(!o.WithPods, o.Waiting...).Run(ctx, nil); err != nil {
		return out, err
	}
	after, err := t.Survey(ctx)
	if err != nil {
		return out, err
	}
	after.Items = append(slices.DeleteFunc(after.Items, setting), settings(before)...)
	out.Verdict = verdict(o.Owner, after).Brief()
	return out, nil
}

// looked adds to an answer what the first look says, and reports whether nothing is left
// to do. What could not be read is in the answer of a dry run, too: a host that is partly
// unknown cannot be promised to become clean.
func looked(o inventory.NetworkOrder, before inventory.Inventory, out *inventory.NetworkAnswer) (done bool) {
	out.Objects = inventory.Decide(before).Objects
	switch {
	case o.DryRun:
		out.Verdict = inventory.Verdict{Unchecked: before.Unchecked}.Brief()
		return true
	case len(out.Objects) == 0 && len(before.Unchecked) == 0: // whatever runs here does not need it
		out.Verdict = verdict(o.Owner, before).Brief()
		return true
	}
	return false
}

// settings are the kernel's parameters that stay as a network has set them: once it has
// gone no sign says any more that it was there.
func settings(before inventory.Inventory) []inventory.Item {
	return slices.DeleteFunc(before.With(inventory.Harmless), func(it inventory.Item) bool { return !setting(it) })
}

func setting(it inventory.Item) bool { return it.Kind == inventory.KindSysctl }

// verdict is that of the second look, of what is, or may be, the network's. What is the
// kubelet's, kube-proxy's and other networks' comes and goes all the time, and on a node
// all of it refers to the cluster.
func verdict(owner inventory.Owner, after inventory.Inventory) inventory.Verdict {
	for i, it := range after.Items {
		if it.Owner != owner && it.Refers != ownership.PerhapsWhy(owner) && !where(owner, it) {
			after.Items[i].Refers = ""
		}
	}
	v := inventory.Verify(inventory.Inventory{}, after)
	v.Flags, v.Harmless = nil, settings(after)
	return v
}

// where reports whether something lies where a network keeps its files or, if it was not
// looked at, where all networks do: a configuration that was not read may be its own.
func where(owner inventory.Owner, it inventory.Item) bool {
	if it.Kind != inventory.KindFile && it.Kind != inventory.KindDir {
		return false
	}
	if slices.ContainsFunc(inventory.WholePaths(), func(p inventory.OwnPath) bool {
		return p.Owner == owner && (it.Name == p.Path || host.Below(it.Name, p.Path) || host.Below(p.Path, it.Name))
	}) {
		return true
	}
	shared := it.Name == inventory.CNIConfDir || host.Below(it.Name, inventory.CNIConfDir) || host.Below(it.Name, inventory.CNIStateDir)
	return shared && strings.HasPrefix(it.Refers, inventory.NotLookedAt)
}

// mayBegin refuses a network that is in use here.
func mayBegin(o inventory.NetworkOrder, seen inventory.NetworkAnswer) error {
	switch {
	case len(seen.Agents) > 0:
		return plan.Refuse(fmt.Errorf("an agent of %s runs on this host: %s", o.Owner, text.First(seen.Agents, mostNamed)),
			"uninstall the network first; what is taken away from under an agent, it makes again")
	case len(seen.Pods) > 0 && !o.WithPods:
		return plan.Refuse(fmt.Errorf("%d pods run on this host in the network %s: %s", len(seen.Pods), o.Owner,
			text.First(seen.Pods, mostNamed)), "drain the node first; or go on all the same, and restart them afterwards: --with-pods")
	}
	return nil
}

// reaching asks API servers whether they accept a connection; nil where none is known.
func reaching(servers []string) func(context.Context) error {
	if len(servers) == 0 {
		return nil
	}
	return func(ctx context.Context) error {
		var errs []error
		for _, server := range servers {
			u, err := url.Parse(server)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			c, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", u.Host)
			if err == nil {
				return c.Close()
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
}
