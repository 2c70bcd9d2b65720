// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/lost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// givenUp is the machine-readable result of giving a node up.
type givenUp struct {
	Node string         `json:"node"`
	Pods drain.Decision `json:"drain"`
	// Facts are what the node program wants to know if the host comes back.
	Facts inventory.Facts `json:"facts"`
	// Lingering are pods that the API still has although the node is gone.
	Lingering []departure.Lingering `json:"lingering,omitempty"`
}

// removeLost gives up a node whose host is dead.
func (c commands) removeLost(ctx context.Context, cluster runner.Cluster, name string, mode env.DryRun, f removeFlags) error {
	if mode == env.DryRunServer {
		return env.Misused("a host that is dead cannot be asked what it has: use --dry-run=client")
	}
	l, err := lost.Prepare(ctx, cluster, name, lost.Options{Who: env.Who(), Timeout: f.timeout, HostOff: f.hostOff}, c.Say)
	if errors.Is(err, kubenode.ErrNotFound) {
		return c.absent(ctx, cluster, name, f, err)
	}
	if err != nil {
		return env.NothingChanged(err)
	}
	result := givenUp{Node: name, Pods: l.Drain, Facts: l.Facts}
	c.ShowPlan(l.Plan(), l.Warnings)
	if mode != env.DryRunNone {
		return c.Print(f.output, view.Of("LostNode", result), func(s *view.Sheet) error {
			return s.Line("node/%s would be given up with %s (dry run: nothing was changed)", view.Name(name), view.CountPods(len(l.Drain.Verdicts)))
		})
	}
	if !f.yes {
		if err := c.Confirm(fmt.Sprintf("This gives up node %s and %s. Its host must %s.", name, view.CountPods(len(l.Drain.Verdicts)),
			text.Choose(l.WithoutKubelet, "run no pod of this cluster any more", "be switched off")), name); err != nil {
			return err
		}
	}
	progress := c.Progress()
	_, err = l.Plan().Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	c.sayIfItComesBack(l)
	for _, line := range l.Held {
		c.Warn("%s", line)
	}
	if f.output == "name" {
		return errors.Join(c.Names("node", name), departure.StillThere(l.Lingering))
	}
	result.Lingering = l.Lingering
	return errors.Join(
		c.Print(f.output, view.Of("LostNode", result), func(s *view.Sheet) error { return s.Line("node/%s given up", view.Name(name)) }),
		departure.StillThere(l.Lingering))
}

// sayIfItComesBack tells what to do with a host that is not dead after all.
func (c commands) sayIfItComesBack(l *lost.NodeLoss) {
	if l.WithoutKubelet {
		c.Say("Its host is up, and no kubelet listens there. If it was reset by hand (kubeadm reset), it cannot register again, and " +
			"the network's links, routes, packet-filter rules, configurations and plugins are still there: kubeadm leaves them. If " +
			"only its kubelet was stopped, the node registers again when that starts, and its pods may still run. To clean the " +
			"host, copy this program to it:")
	} else {
		c.Say("If the host comes back, its kubelet registers with this cluster again. To clean the host, copy this program to it:")
	}
	arch := l.Node.Status.NodeInfo.Architecture
	if !slices.Contains([]string{"amd64", "arm64"}, arch) {
		c.Say("(the Node says that its architecture is %q: choose amd64 or arm64 yourself)", arch)
		arch = "amd64"
	}
	c.SayCommand(text.Command("kubectl", "lifecycle", "node-program", "--arch", arch) + " > lifecycle-node")
	facts, left := checked(l.Facts)
	for _, what := range left {
		c.Warn("left out of what the program is told: %s", what)
	}
	words := []string{"./lifecycle-node", "clean", "--yes"}
	if id := l.Node.Status.NodeInfo.MachineID; machineID(id) {
		words = append(words, "--machine-id", id)
	}
	if argument, err := factsArgument(facts); err != nil {
		c.Warn("the program does not know the cluster, so it removes less: %v", err)
	} else {
		words = append(words, argument)
	}
	c.Say("and run it there, as root (without --yes it only shows what would go):")
	c.SayCommand("chmod +x lifecycle-node && " + text.Command(words...))
	if l.WithoutKubelet {
		c.Say("and, if the node has registered again:")
	} else {
		c.Say("and delete the Node that it has registered:")
	}
	c.SayCommand(text.Command("kubectl", "delete", "node", l.Node.Name))
}

// machineID reports whether a word is one (machine-id(5)): a Node may say anything.
func machineID(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) == 16
}

// factsArgument is what the program gets to know, as one word of a command that
// is never cut.
func factsArgument(facts inventory.Facts) (string, error) {
	raw, err := json.Marshal(facts)
	if err != nil {
		return "", err
	}
	raw = text.JSON(raw)
	if _, whole := text.Whole(string(raw)); !whole {
		return "", fmt.Errorf("the facts have %d bytes, and a command to paste has room for %d", len(raw), text.MaxWord)
	}
	return string(raw), nil
}

// checked leaves only what is what it is said to be: a host, or a user with write access
// to the Node, chose these words, and root pastes them. The second result says what
// was left out.
func checked(f inventory.Facts) (inventory.Facts, []string) {
	var left []string
	keep := func(what string, words []string, good func(string) bool) []string {
		return slices.DeleteFunc(slices.Clone(words), func(word string) bool {
			if !good(word) {
				left = append(left, fmt.Sprintf("%q, which is no %s", text.Short(word, 100), what))
			}
			return !good(word)
		})
	}
	one := func(what, word string, good func(string) bool) string {
		if word == "" || len(keep(what, []string{word}, good)) == 1 {
			return word
		}
		return ""
	}
	address := func(s string) bool { _, err := netip.ParseAddr(s); return err == nil && !strings.Contains(s, "%") }
	network := func(s string) bool { _, err := netip.ParsePrefix(s); return err == nil }
	name := func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 }
	place := func(s string) bool {
		s = strings.TrimPrefix(s, "unix://")
		return path.IsAbs(s) && path.Clean(s) == s && text.Short(s, 255) == s
	}
	f.Node = one("name of a node", f.Node, name)
	f.CNI = one("name of a network", f.CNI, name)
	f.CRISocket = one("path of a socket", f.CRISocket, place)
	f.KubeletRoot = one("path of a directory", f.KubeletRoot, place)
	f.PodCIDRs = keep("network", f.PodCIDRs, network)
	f.ServiceCIDRs = keep("network", f.ServiceCIDRs, network)
	f.IPVSExclude = keep("network", f.IPVSExclude, network)
	f.NodeIPs = keep("address", f.NodeIPs, address)
	f.NodePods = keep("address with a network", f.NodePods, func(s string) bool {
		at, pods, _ := strings.Cut(s, " ")
		return address(at) && network(pods)
	})
	f.ControlPlanes = keep("address", f.ControlPlanes, address)
	return f, left
}
