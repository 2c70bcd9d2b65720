// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// AddData adds the data of a member that leaves: what etcd has made, and not the
// snapshots that are kept beside it. Data that nothing tells of is reported, never
// touched: it may be all that is left of a cluster.
func (t Member) AddData(s *part.Findings) {
	d, err := t.Departure()
	pod, found, err2 := t.etcdPod()
	if err := errors.Join(err, err2); err != nil {
		s.Missed(inventory.KindDir, inventory.DefaultDataDir, err)
		return
	}
	dir, log := inventory.DefaultDataDir, ""
	switch {
	case d != nil:
		dir, log = d.DataDir, d.WALDir
	case found:
		dir, log = pod.dataDir(), pod.walDir()
	}
	if d == nil && !found {
		is, err := t.Exists(dir)
		s.Missed(inventory.KindDir, dir, err)
		if is {
			s.Add(inventory.Item{
				Kind: inventory.KindDir, Name: dir, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "no static pod says whose data it is",
			})
		}
		return
	}
	if dir != "" {
		s.Missed(inventory.KindDir, dir, t.addMember(s, dir))
	}
	if log != "" {
		s.Missed(inventory.KindDir, log, t.addMade(s, log, walDir))
		t.AddHollow(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: log})
	}
}

// addMember adds what is in a data directory, which may be a disk of its own.
func (t Member) addMember(s *part.Findings, dir string) error {
	names, err := t.Names(dir)
	if errors.Is(err, host.ErrRemote) {
		s.NotLookedAt(inventory.KindDir, dir, "another machine's file system is mounted there")
		return nil
	}
	for _, name := range names {
		if path := filepath.Join(dir, name); name == memberDir {
			err = errors.Join(err, t.addOwn(s, path, name))
		} else {
			t.AddForeign(s, path, "beside etcd's data, and not made by etcd")
		}
	}
	t.AddHollow(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: dir})
	is, unread := t.Exists(dir)
	err = errors.Join(err, unread)
	if len(names) == 0 && is && !t.Younger(dir) {
		s.Add(inventory.Item{
			Kind: inventory.KindDir, Name: dir, Owner: inventory.Kubeadm, Fate: inventory.Harmless, Detail: "empty",
			Why: "older than the join, or its age is unknown",
		})
	}
	return err
}

// addMade adds what etcd has made in a directory that may have more in it.
func (t Member) addMade(s *part.Findings, dir, as string) error {
	names, err := t.Names(dir)
	if errors.Is(err, host.ErrRemote) {
		s.NotLookedAt(inventory.KindDir, dir, "another machine's file system is mounted there")
		return nil
	}
	for _, name := range names {
		if path := filepath.Join(dir, name); madeByEtcd(as, name) {
			err = errors.Join(err, t.addOwn(s, path, name))
		} else {
			t.AddForeign(s, path, "beside etcd's data, and not made by etcd")
		}
	}
	return err
}

// addOwn adds something that etcd has made. Where an administrator has mounted something at it
// or below, it stays with that, and only what etcd has made there goes.
func (t Member) addOwn(s *part.Findings, path, name string) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	real := t.Resolve(path)
	at := slices.IndexFunc(mounts, func(m host.Mount) bool { return m.Path == real || host.Below(m.Path, real) })
	if at < 0 {
		t.AddPath(s, inventory.OwnPath{Owner: inventory.Kubeadm, Path: path})
		return nil
	}
	t.AddForeign(s, path, "something is mounted at "+mounts[at].Path+"; what etcd has made there goes")
	if !slices.Contains([]string{memberDir, snapDir, walDir}, name) {
		return nil // a file
	}
	return t.addMade(s, path, name)
}

// MayDiscard refuses to delete the data of a member that has not left: neither
// has an earlier step seen it leave, nor do the others say that they have none.
func (t Member) MayDiscard(ctx context.Context, it inventory.Item) error {
	pod, found, err := t.etcdPod()
	if err != nil || !found {
		return err
	}
	data := false
	for _, dir := range []string{pod.dataDir(), pod.walDir()} {
		data = data || dir != "" && (it.Name == dir || host.Below(it.Name, dir))
	}
	if !data {
		return nil
	}
	d, err := t.Departure()
	if err != nil || d != nil && d.Left {
		return err
	}
	view, err := t.View(ctx)
	if err == nil && (view == nil || view.Self != "") {
		err = errors.New("it is still a member")
	}
	if err != nil {
		return fmt.Errorf("%s is the data of an etcd member that is not known to have left its cluster: %w", it.Name, err)
	}
	return nil
}
