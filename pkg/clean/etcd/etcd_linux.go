// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// departureFile notes in the state directory that the member is leaving or has
// left: once it has, there is no way back for this control plane, and its data
// is worth nothing.
const departureFile = "etcd.json"

// Departed is what the departure file holds.
type Departed struct {
	Cluster, DataDir string
	// WALDir is where its log is, if that is elsewhere.
	WALDir string `json:",omitempty"`
	Member inventory.EtcdMember
	// Through are the clients' URLs of the survivors.
	Through []string
	// Left is true once a survivor has confirmed it.
	Left bool
}

// Part is the first part: a member that has left while its host is still as it
// was does no harm, and one that may not leave stops the removal before
// anything has changed.
func (t Member) Part() part.Part {
	return part.Part{ID: "etcd", Kind: inventory.KindMember, Look: t.lookMember, Take: t.leaveEtcd}
}

// Departure is what an earlier run has written down; nil if there is nothing.
func (t Member) Departure() (*Departed, error) {
	if t.StateDir == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(filepath.Join(t.Path(t.StateDir), departureFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	d := &Departed{}
	if err == nil {
		err = json.Unmarshal(raw, d)
	}
	return d, err
}

func (t Member) lookMember(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	d, err := t.Departure()
	if err != nil {
		return s, err
	}
	it := inventory.Item{Kind: inventory.KindMember, Owner: inventory.Kubeadm, Fate: inventory.Goes}
	if d != nil {
		if !d.Left {
			it.Name, it.ID, it.In, it.Detail = d.Member.Name, d.Member.ID, d.Cluster, "leaving"
			s.Add(it)
		}
		return s, nil
	}
	view, err := t.View(ctx)
	if err != nil || view == nil || view.Self == "" {
		return s, err
	}
	for _, m := range view.Members {
		if m.ID == view.Self {
			it.Name, it.ID, it.In, it.Detail = m.Name, m.ID, view.Cluster, view.Detail()
		}
	}
	s.Add(it)
	return s, nil
}

// leaveEtcd moves the leadership away, has a survivor take the member out, and
// sees it gone. It writes down what it is about to do before it does it.
func (t Member) leaveEtcd(ctx context.Context, report plan.Report) error {
	client, err := t.etcdClient()
	if err != nil {
		return err
	}
	d, err := t.Departure()
	if err != nil {
		return err
	}
	if d == nil {
		if d, err = t.beginDeparture(ctx, client, report); err != nil {
			return err
		}
	}
	id, err := parseID(d.Member.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, survivor := range d.Through {
		if err := takeOut(ctx, client, survivor, id, d.Cluster); err != nil {
			errs = append(errs, err)
			continue
		}
		d.Left = true
		report("member %s (%s) has left the etcd cluster", d.Member.Name, d.Member.ID)
		return t.saveDeparture(d)
	}
	return plan.Hint(fmt.Errorf("take member %s out of the etcd cluster: %w", d.Member.ID, part.Summary(errs)),
		"see how its members are: etcdctl endpoint health --cluster")
}

// beginDeparture decides on a fresh look whether the member may leave, and
// moves the leadership.
func (t Member) beginDeparture(ctx context.Context, client *etcd.Client, report plan.Report) (*Departed, error) {
	view, err := t.View(ctx)
	if err != nil {
		return nil, err
	}
	way, err := view.Departure()
	if err != nil {
		return nil, err
	}
	pod, _, err := t.etcdPod()
	if err != nil {
		return nil, err
	}
	d := &Departed{Cluster: view.Cluster, DataDir: view.DataDir, WALDir: pod.walDir(), Member: way.Member}
	for _, m := range way.Through {
		d.Through = append(d.Through, m.URL)
	}
	if way.Heir != nil {
		report("handing the leadership over to %s", way.Heir.Name)
		if err := handOver(ctx, client, *way.Heir, way.Member); err != nil {
			return nil, fmt.Errorf("move the leadership of etcd to %s: %w", way.Heir.Name, err)
		}
	}
	return d, t.saveDeparture(d)
}

// handOver moves the leadership, and waits until the heir knows of it.
func handOver(ctx context.Context, client *etcd.Client, heir, leader inventory.EtcdMember) error {
	to, err := parseID(heir.ID)
	if err != nil {
		return err
	}
	if err := client.MoveLeader(ctx, leader.URL, to); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for {
		status, err := client.Status(ctx, heir.URL)
		if err == nil && status.Leader == to {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it does not lead after %s", callLimit), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// callLimit bounds what etcd is waited for: it elects a leader within seconds,
// or not at all.
const callLimit = 15 * time.Second

// takeOut has one survivor remove a member, and asks it whether it is gone.
func takeOut(ctx context.Context, client *etcd.Client, survivor string, id etcd.ID, cluster string) error {
	is, members, err := client.Members(ctx, survivor, false)
	if err != nil {
		return err
	}
	if is.String() != cluster {
		return fmt.Errorf("%s is of another etcd cluster (%s) than this host's member was (%s)", survivor, is, cluster)
	}
	has := func(m etcd.Member) bool { return m.ID == id }
	if slices.ContainsFunc(members, has) {
		if err := client.Remove(ctx, survivor, id); err != nil && !errors.Is(err, etcd.ErrNotMember) {
			return err
		}
		if _, members, err = client.Members(ctx, survivor, false); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(members, has) {
		return fmt.Errorf("%s still has member %s", survivor, id)
	}
	return nil
}

// Stay takes a departure back that has not come about. One that has leaves
// no way back: without its member this control plane has no data.
func (t Member) Stay(ctx context.Context) error {
	const wayOut = "run the removal again to finish it"
	d, err := t.Departure()
	if err != nil || d == nil {
		return err
	}
	if d.Left {
		return plan.Hint(errors.New("start this control plane again: its etcd member has left"), wayOut)
	}
	client, err := t.etcdClient()
	if err != nil {
		return err
	}
	var errs []error
	for _, survivor := range d.Through {
		_, members, err := client.Members(ctx, survivor, false)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.ContainsFunc(members, func(m etcd.Member) bool { return m.ID.String() == d.Member.ID }) {
			return os.Remove(filepath.Join(t.Path(t.StateDir), departureFile))
		}
		return plan.Hint(errors.New("start this control plane again: its etcd member has left"), wayOut)
	}
	return plan.Hint(fmt.Errorf("cannot determine whether this host's etcd member has left: %w", part.Summary(errs)), wayOut)
}

func (t Member) saveDeparture(d *Departed) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return t.Save(departureFile, raw)
}
