// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// lookAsking finds settings of the host's own that name an address of the cluster: with
// the cluster gone from the host, nothing answers there.
func (t Traces) lookAsking(s *part.Findings) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	dns, files := t.Places().DNS, askingFiles()
	if t.Places().MoreDNS {
		s.NotLookedAt(inventory.KindFile, t.Places().Config, "it names more DNS servers than are read, so settings may name others of them")
	}
	for _, pattern := range slices.Sorted(maps.Keys(files)) {
		before, _, _ := strings.Cut(pattern, "*")
		if !disk.AtHome(filepath.Dir(before), mounts) { // not even listed
			continue
		}
		found, err := filepath.Glob(t.Path(pattern))
		if err != nil {
			return err
		}
		if more := len(found) - mostNamed; more > 0 {
			s.NotLookedAt(inventory.KindFile, pattern, fmt.Sprintf("there are %d more files than are read", more))
		}
		for _, path := range found[:min(len(found), mostNamed)] {
			at := filepath.Join("/", strings.TrimPrefix(path, t.Path("/")))
			if !disk.AtHome(at, mounts) {
				continue
			}
			raw, err := host.ReadPlain(path, part.MostOfFile)
			s.Missed(inventory.KindFile, at, notRead(err))
			if what := asks(t.Facts, string(raw), dns); what != "" {
				s.Add(inventory.Item{
					Kind: inventory.KindFile, Name: at, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "a setting of this host's own, which no " +
						"pod network is known to write",
					Refers: fmt.Sprintf(files[pattern], what), Digest: t.Digest(at),
				})
			}
		}
	}
	return nil
}

// lookGiven names what the kubelet was given and only reads, and says whether it refers to
// the cluster: it may be anywhere. What is beside kubeadm's files is named there.
func (t Traces) lookGiven(s *part.Findings) error {
	mounts, err := t.Mounts()
	if err != nil {
		return err
	}
	id, named := t.Cluster(), append(t.Roots(), inventory.KubernetesDir)
	for _, path := range t.Places().Given {
		if slices.ContainsFunc(named, func(dir string) bool { return host.Below(path, dir) }) {
			continue
		}
		if !disk.AtHome(path, mounts) {
			s.NotLookedAt(inventory.KindFile, path, "another machine's file system is mounted there")
			continue
		}
		if !t.Exists(path) {
			continue
		}
		raw, err := host.ReadPlain(t.Followed(path), part.MostOfFile)
		t.AddForeign(s, path, "an administrator gave it to the kubelet, which only reads it")
		s.Items[len(s.Items)-1].Refers = cmp.Or(id.Refer(raw, t.Facts.Node, t.Facts.Joined).String(), part.Unread(err))
	}
	return nil
}

// notRead is an error that leaves open what a file says.
func notRead(err error) error {
	if part.Unread(err) == "" {
		return nil
	}
	return err
}
