// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Facts are what was read.
type Facts struct {
	// Nodes are the control planes, Looks what their hosts say, in the same order.
	Nodes []*corev1.Node
	Looks []certs.Look
	// Dir is where they keep certificates; empty means the usual place.
	Dir string
	// Period is how long a certificate of kubeadm's is valid.
	Period time.Duration
}

// Host is what is done on one host.
type Host struct {
	Node *corev1.Node
	// Names are the certificates that are renewed, Left those that are not, and why.
	Names []string
	Left  []certs.Left
	// Restarts are the rows whose programs use an earlier certificate already.
	Restarts []string
	// Unfinished says that a renewal was begun there and is not proved.
	Unfinished bool
	// Leader says that etcd's leader is there.
	Leader bool
	before certs.Look
}

// Idle reports whether nothing is to be done there.
func (h Host) Idle() bool { return len(h.Names) == 0 && len(h.Restarts) == 0 && !h.Unfinished }

// Decide says what is renewed on which host: the one that is not ready first, the leader of
// etcd last. It refuses while a
// control plane is not Ready, a member of etcd is not well, what must be the same differs,
// or an authority would end before what it signs. It is pure.
func (f Facts) Decide(wish certs.Wish) ([]Host, error) {
	wish.Period = f.Period
	for _, n := range f.Nodes {
		if !kube.NodeReady(n) {
			return nil, plan.Refuse(fmt.Errorf("control plane %s is not Ready, and all must be before certificates are renewed", n.Name),
				"bring it back; see: %s", text.Command("kubectl", "describe", "node", n.Name))
		}
	}
	if differ := certs.Compare(f.Looks); len(differ) > 0 {
		return nil, plan.Refuse(fmt.Errorf("%s: %s", differ[0].Name, differ[0].Faults[0]),
			"make it the same first: a certificate that one authority signs is not accepted where another is trusted")
	}
	if err := f.oneTroubled(); err != nil {
		return nil, err
	}
	var hosts []Host
	for i, n := range f.Nodes {
		if err := settled(f.Looks[i], n.Name); err != nil {
			return nil, err
		}
		h := Host{Node: n, before: f.Looks[i], Restarts: certs.Restarts(f.Looks[i]), Unfinished: f.Looks[i].Unfinished}
		h.Names, h.Left = wish.Choose(f.Looks[i])
		leader, err := f.etcd(i)
		if err != nil {
			return nil, err
		}
		h.Leader = leader
		if err := f.outlived(h, wish.Now); err != nil {
			return nil, err
		}
		hosts = append(hosts, h)
	}
	slices.SortStableFunc(hosts, func(a, b Host) int {
		// What is not ready is mended before anything else is touched.
		return cmp.Or(yesFirst(troubled(a.before), troubled(b.before)), yesFirst(!a.Leader, !b.Leader),
			strings.Compare(a.Node.Name, b.Node.Name))
	})
	return hosts, nil
}

func yesFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// oneTroubled refuses more than one host that has to be mended: what mends one needs the rest.
func (f Facts) oneTroubled() error {
	var names []string
	for i, n := range f.Nodes {
		if troubled(f.Looks[i]) {
			names = append(names, fmt.Sprintf("%s (%s)", n.Name, trouble(f.Looks[i])))
		}
	}
	if len(names) < 2 {
		return nil
	}
	return plan.Refuse(fmt.Errorf("%d control planes are not ready: %s", len(names), strings.Join(names, ", ")),
		"bring all but one of them back first; what a renewal has replaced is in %s on its host", inventory.BackupDir)
}

// settled refuses a host that is being changed, or whose API server is not ready, unless that
// may be what the renewal mends: a certificate that is in use and ends, or was not finished.
func settled(look certs.Look, node string) error {
	if look.Renewing {
		return plan.Refuse(fmt.Errorf("certificates are being renewed on the host of %s already", node),
			"wait until that has ended; see on the host: %s", text.Command("systemctl", "status", certs.RenewalUnit))
	}
	if look.APITrouble != "" && !look.Unfinished && len(certs.Restarts(look)) == 0 {
		return plan.Refuse(fmt.Errorf("%s: %s", node, text.Brief(look.APITrouble)),
			"fix that first: all control planes must be ready before certificates are renewed")
	}
	return nil
}

// etcd refuses an etcd that is not whole, as one host sees it, and says whether its leader
// is there. The member of a host on which a renewal was not finished may be in trouble: to
// finish it is what mends it.
func (f Facts) etcd(i int) (leader bool, err error) {
	look, name := f.Looks[i], f.Nodes[i].Name
	if look.EtcdTrouble != "" {
		if look.Unfinished {
			return false, nil
		}
		return false, f.refuse(fmt.Errorf("etcd cannot be asked on %s: %s", name, text.Brief(look.EtcdTrouble)), "fix that first")
	}
	var view *inventory.Etcd
	if len(look.Etcd) > 0 {
		if err := json.Unmarshal(look.Etcd, &view); err != nil {
			return false, fmt.Errorf("decode the members of etcd of %s: %w", name, err)
		}
	}
	if view == nil {
		return false, nil // it has hosts of its own
	}
	for _, m := range view.Members {
		switch {
		case m.Trouble != "" && !f.mends(m.Name):
			return false, f.refuse(fmt.Errorf("member %s of etcd %s", m.Name, m.Trouble),
				"fix it first; on a control plane: etcdctl endpoint health --cluster")
		case m.Learner:
			return false, plan.Refuse(fmt.Errorf("member %s of etcd is still learning", m.Name), "wait until it votes")
		}
		leader = leader || m.Leader && m.ID == view.Self
	}
	if len(view.Members) != len(f.Nodes) {
		return false, plan.Refuse(fmt.Errorf("etcd has %d members, and the cluster %d control planes", len(view.Members), len(f.Nodes)),
			"a member without a host, or a host without one, has to be removed first")
	}
	return leader, nil
}

// mends reports whether a member of etcd is the one of a host on which a renewal was not
// finished: kubeadm names a member as its Node.
func (f Facts) mends(member string) bool {
	return slices.ContainsFunc(f.Looks, func(l certs.Look) bool { return l.Unfinished && l.Node == member })
}

// refuse says, too, where the earlier certificates are if a renewal was not finished.
func (f Facts) refuse(err error, hint string) error {
	for _, l := range f.Looks {
		if l.Unfinished {
			hint += fmt.Sprintf("; a renewal was interrupted on %s: the earlier certificates are in %s on its host", l.Node, inventory.BackupDir)
		}
	}
	return plan.Refuse(err, "%s", hint)
}

// outlived refuses a renewal by an authority whose key is not its own, or that ends before
// the new certificate would.
func (f Facts) outlived(h Host, now time.Time) error {
	for _, r := range h.before.Rows {
		if !r.Authority || r.ExternallyManaged || !f.signs(h, r.Name) {
			continue
		}
		if len(r.Faults) > 0 {
			return plan.Refuse(fmt.Errorf("authority %s on %s: %s", r.Name, h.Node.Name, text.Brief(r.Faults[0])),
				"fix that first: what it signs would not be accepted")
		}
		if r.Expires == nil {
			continue
		}
		if r.Expires.Before(now.Add(f.Period)) {
			return plan.Refuse(fmt.Errorf("authority %s on %s ends on %s, before a certificate that it signs now would", r.Name, h.Node.Name,
				r.Expires.UTC().Format(time.DateOnly)),
				"the authority itself has to be replaced; until then, set a shorter certificateValidityPeriod in configmap kube-system/kubeadm-config")
		}
	}
	return nil
}

// signs reports whether an authority signs something of what is renewed on a host.
func (f Facts) signs(h Host, ca string) bool {
	return slices.ContainsFunc(h.before.Rows, func(r certs.Row) bool { return r.CA == ca && slices.Contains(h.Names, r.Name) })
}

// Names checks what a person names: kubeadm's names, or "all".
func Names(args []string) ([]string, error) {
	var names []string
	for _, arg := range args {
		switch {
		case arg == "all" && len(args) == 1:
			return nil, nil
		case arg == "all":
			return nil, plan.As(plan.Misused, plan.Hint(errors.New("\"all\" cannot be combined with other names"),
				"name all alone, or only what is to be renewed"))
		case !slices.Contains(certs.Renewable(), arg):
			return nil, plan.As(plan.Misused, plan.Hint(errors.New(text.Quote(arg)+" is not a certificate that kubeadm renews"),
				"all, or of these: %s",
				strings.Join(certs.Renewable(), ", ")))
		}
		names = append(names, arg)
	}
	return names, nil
}
