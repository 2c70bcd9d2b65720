// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
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

// Decide says what is renewed on which host, the leader of etcd last. It refuses while a
// control plane is not Ready, a member of etcd is not well, what must be the same differs,
// or an authority would end before what it signs. It is pure.
func (f Facts) Decide(wish certs.Wish) ([]Host, error) {
	wish.Period = f.Period
	for _, n := range f.Nodes {
		if !kube.NodeReady(n) {
			return nil, plan.Refuse(fmt.Errorf("control plane %s is not Ready: certificates are renewed while all are", n.Name),
				"bring it back; see: %s", text.Command("kubectl", "describe", "node", n.Name))
		}
	}
	if differ := certs.Compare(f.Looks); len(differ) > 0 {
		return nil, plan.Refuse(fmt.Errorf("%s: %s", differ[0].Name, differ[0].Faults[0]),
			"make it the same first: a certificate that one authority signs is not accepted where another is trusted")
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
		if a.Leader != b.Leader {
			return map[bool]int{true: 1, false: -1}[a.Leader]
		}
		return strings.Compare(a.Node.Name, b.Node.Name)
	})
	return hosts, nil
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
			"mend that first: certificates are renewed while all are ready")
	}
	return nil
}

// etcd refuses an etcd that is not whole, as one host sees it, and says whether its leader
// is there.
func (f Facts) etcd(i int) (leader bool, err error) {
	look, name := f.Looks[i], f.Nodes[i].Name
	if look.EtcdTrouble != "" {
		return false, plan.Refuse(fmt.Errorf("etcd cannot be asked on %s: %s", name, look.EtcdTrouble), "mend that first")
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
		case m.Trouble != "":
			return false, plan.Refuse(fmt.Errorf("member %s of etcd %s", m.Name, m.Trouble),
				"mend it first; on a control plane: etcdctl endpoint health --cluster")
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

// outlived refuses a renewal by an authority whose key is not its own, or that ends before
// the new certificate would.
func (f Facts) outlived(h Host, now time.Time) error {
	for _, r := range h.before.Rows {
		if !r.Authority || r.ExternallyManaged || !f.signs(h, r.Name) {
			continue
		}
		if len(r.Faults) > 0 {
			return plan.Refuse(fmt.Errorf("authority %s on %s: %s", r.Name, h.Node.Name, text.Brief(r.Faults[0])),
				"mend that first: what it signs would not be accepted")
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
		case !slices.Contains(certs.Renewable(), arg):
			return nil, plan.As(plan.Misused, plan.Hint(errors.New(text.Quote(arg)+" is no certificate that kubeadm renews"), "all, or of these: %s",
				strings.Join(certs.Renewable(), ", ")))
		}
		names = append(names, arg)
	}
	return names, nil
}
