// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// joinCheck is what a worker meets in another cluster, as far as the two APIs
// tell.
type joinCheck struct {
	node *corev1.Node
	// to is the cluster's name, version its control plane's, networks are its
	// pods' and services'.
	to, version string
	networks    []netip.Prefix
	// taken says that it has a node of this name.
	taken bool
}

// decide refuses a worker that cannot land there. It is pure.
func (l joinCheck) decide() error {
	if l.taken {
		return plan.Refuse(fmt.Errorf("%s has a node %s already", l.to, l.node.Name),
			"if that is left of an earlier one, delete it there: kubectl delete node %s", text.Quote(l.node.Name))
	}
	for _, prefix := range l.networks {
		for _, a := range l.node.Status.Addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && prefix.Contains(ip) {
				return plan.Refuse(fmt.Errorf("the address %s of node %s lies in %s, a network of the pods or services of %s", a.Address, l.node.Name,
					prefix, l.to),
					"give the host another address, or choose another cluster")
			}
		}
	}
	kubelet, err := utilversion.ParseSemantic(l.node.Status.NodeInfo.KubeletVersion)
	cluster, err2 := utilversion.ParseSemantic(l.version)
	if err != nil || err2 != nil {
		return nil // the host is asked, too
	}
	const oldest = 3 // version skew policy since 1.28
	install := fmt.Sprintf("install kubeadm and kubelet 1.%d on the host first", cluster.Minor())
	switch {
	case kubelet.Minor() > cluster.Minor():
		return plan.Refuse(fmt.Errorf("the kubelet of node %s is v%s, newer than the control plane of %s (v%s)", l.node.Name, kubelet, l.to,
			cluster), "%s", install)
	case kubelet.Minor()+oldest < cluster.Minor():
		return plan.Refuse(fmt.Errorf("the kubelet of node %s is v%s, more than %d minor versions behind the control plane of %s (v%s)",
			l.node.Name, kubelet, oldest, l.to, cluster), "%s", install)
	}
	return nil
}

// description marks the bootstrap tokens of a node's move.
func (t *moveTarget) description() string { return "kubectl lifecycle move of node " + t.node }

// destination is what the program on the host is told.
func (t *moveTarget) destination() *wire.Destination {
	return &wire.Destination{
		Endpoint: t.about.Endpoint, CA: t.about.CA, Pins: t.about.Pins, Version: t.about.KubernetesVersion,
		IgnorePreflightErrors: t.to.IgnorePreflightErrors,
	}
}

// mint makes the token, unless the host has one of an earlier try that is still
// good. A host whose token is not is sent home first, to be given another.
func (m *Move) mint(ctx context.Context, report plan.Report) error {
	p := m.target
	rec, found, err := runner.Get(ctx, m.cluster, p.node)
	if err != nil {
		return err
	}
	if found && rec.State.Token != "" {
		if p.token, err = m.known(ctx, rec.State.Token); err == nil {
			report("taking up token %s", p.token.ID)
			return bootstrap.RevokeDescribed(ctx, p.to.Client, p.description(), p.token)
		}
		if rec.State.Phase == wire.Ready {
			if err := sendHome(ctx, m.cluster, rec); err != nil {
				return err
			}
		}
	}
	if err := bootstrap.RevokeDescribed(ctx, p.to.Client, p.description(), bootstrap.Token{}); err != nil {
		return err
	}
	if p.token, err = bootstrap.Mint(ctx, p.to.Client, bootstrap.Request{TTL: tokenTTL, Description: p.description()}); err != nil {
		return err
	}
	return bootstrap.WaitSigned(ctx, p.to.Client, p.token, report)
}

// known reads the token that a host was given. The id is the host's word, which
// may name any token of the other cluster: only one that was made for the move of
// this node is taken.
func (m *Move) known(ctx context.Context, id string) (bootstrap.Token, error) {
	return bootstrap.Recall(ctx, m.target.to.Client, id, m.target.description())
}

// unmint revokes the token again, unless a run needs it, or the person who has
// been told to join the host by hand.
func (m *Move) unmint(ctx context.Context) error {
	if m.target.failure != "" {
		return plan.ErrKept
	}
	rec, found, err := runner.Get(ctx, m.cluster, m.target.node)
	if err != nil {
		return err
	}
	if found && rec.State.Phase != wire.Aborted {
		return plan.ErrKept
	}
	return m.target.revoke(ctx)
}

func (t *moveTarget) revoke(ctx context.Context) error {
	return bootstrap.RevokeDescribed(ctx, t.to.Client, t.description(), bootstrap.Token{})
}

// keepToken has the token live as long as the drain takes. What fails is tried
// again.
func (t *moveTarget) keepToken(ctx context.Context) {
	tick := time.NewTicker(tokenEvery)
	defer tick.Stop()
	for {
		if t.token.ID != "" {
			_ = bootstrap.Extend(ctx, t.to.Client, t.token, t.description(), tokenTTL)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// arrival waits for the node in the other cluster. A host that could not join is
// clean, and how to go on is said.
func (m *Move) arrival(ctx context.Context, report plan.Report) error {
	p := m.target
	if p.failure == "" {
		return kubenode.AwaitReady(ctx, p.to.Client, p.node, report)
	}
	token, err := m.lasting(ctx)
	if err != nil {
		return errors.Join(errors.New(p.failure), err)
	}
	command := join.Command(p.about, token, join.CommandOptions{NodeName: p.node, IgnorePreflightErrors: p.to.IgnorePreflightErrors})
	return plan.Hint(fmt.Errorf("the host of node %s has left its cluster and is clean, but could not join %s: %s", p.node, p.to.Name,
		p.failure),
		"remove the cause, and run this on the host, as root, within %s:\n%s", tokenTTL, command)
}

// lasting is a token for a person who has to join the host by hand.
func (m *Move) lasting(ctx context.Context) (bootstrap.Token, error) {
	p := m.target
	if p.token.ID == "" && m.record.State.Token != "" {
		token, err := m.known(ctx, m.record.State.Token)
		if err == nil {
			p.token = token
		}
	}
	if p.token.ID != "" {
		err := bootstrap.Extend(ctx, p.to.Client, p.token, p.description(), tokenTTL)
		if err == nil || !apierrors.IsNotFound(err) {
			return p.token, err
		}
	}
	return bootstrap.Mint(ctx, p.to.Client, bootstrap.Request{TTL: tokenTTL, Description: p.description()})
}

func (m *Move) revoke(ctx context.Context, _ plan.Report) error { return m.target.revoke(ctx) }
