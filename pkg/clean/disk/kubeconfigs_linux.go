// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// kubeconfig is where kubectl looks for one in a home.
const kubeconfig = ".kube/config"

// LookKubeconfigs finds the kubeconfigs of people on this host. A copy of
// kubeadm's own, as its last words tell everybody to make one, goes; another
// that leads to this cluster is a user's and stays.
func (t Disk) LookKubeconfigs(s *part.Findings) error {
	id := t.Cluster()
	if len(id.Authorities) == 0 {
		return nil // nothing tells which cluster this was
	}
	own := t.ownKubeconfigs()
	homes, err := t.Homes()
	for _, home := range homes {
		path := filepath.Join(home.Path, kubeconfig)
		dir, err := t.kubeDir(home)
		if err != nil {
			continue // there is none, or it is no place of this user's alone
		}
		raw, file, err := dir.Read(filepath.Base(kubeconfig), part.MostOfFile)
		dir.Close()
		switch {
		case part.Unread(err) != "":
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays, Why: "a person's own kubeconfig",
				Refers: part.Unread(err),
			})
		case err != nil || file.Owner != home.user && file.Owner != 0 || !id.Refer(raw, t.Facts.Node, t.Facts.Joined).Authority: // there is none
		case isOne(own, raw):
			s.Add(inventory.Item{Kind: inventory.KindFile, Name: path, Owner: inventory.Kubeadm, Fate: inventory.Goes,
				Manner: inventory.IfCopy, Detail: "a copy of kubeadm's kubeconfig"})
		default:
			refers := id.Refer(raw, t.Facts.Node, t.Facts.Joined).String()
			s.Add(inventory.Item{
				Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays,
				Why: "a person's own kubeconfig that leads to this cluster", Refers: refers,
			})
		}
	}
	return err
}

// ownKubeconfigs are those that kubeadm made on this host.
func (t Disk) ownKubeconfigs() [][]byte {
	var own [][]byte
	for _, name := range []string{"admin.conf", "super-admin.conf"} {
		if raw, err := t.ReadPlain(filepath.Join(inventory.KubernetesDir, name), part.MostOfFile); err == nil {
			own = append(own, raw)
		}
	}
	return own
}

func isOne(all [][]byte, raw []byte) bool {
	return slices.ContainsFunc(all, func(one []byte) bool { return bytes.Equal(one, raw) })
}

// kubeDir opens the directory of a home in which a kubeconfig is. The home's user may
// change what is in it while it is looked at, but not lead elsewhere: no link is
// followed, and both directories must be the user's or root's.
func (t Disk) kubeDir(h Home) (*host.Dir, error) {
	top, err := t.OpenDir(h.Path)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	dir, err := top.Dir(filepath.Dir(kubeconfig))
	if err != nil {
		return nil, err
	}
	for _, d := range []*host.Dir{top, dir} {
		owner, err := d.Owner()
		if err == nil && owner != h.user && owner != 0 {
			err = fmt.Errorf("%s is another user's", h.Path)
		}
		if err != nil {
			dir.Close()
			return nil, err
		}
	}
	return dir, nil
}

// discardKubeconfig deletes a copy of kubeadm's kubeconfig from a home, if it still is
// one, and nothing else, however the home has changed since one looked.
func (t Disk) discardKubeconfig(path string) error {
	homes, err := t.Homes()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(homes, func(h Home) bool { return filepath.Join(h.Path, kubeconfig) == path })
	if at < 0 {
		return fmt.Errorf("remove %s: it is in no user's home", path)
	}
	dir, err := t.kubeDir(homes[at])
	if err == nil {
		defer dir.Close()
		var raw []byte
		var file host.File
		if raw, file, err = dir.Read(filepath.Base(kubeconfig), part.MostOfFile); err == nil && (file.Owner != homes[at].user &&
			file.Owner != 0 || !isOne(t.ownKubeconfigs(), raw)) {
			err = host.ErrReplaced
		}
		if err == nil {
			err = dir.Remove(filepath.Base(kubeconfig), file)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// Homes are the home directories of this host's users, sorted: those of /etc/passwd,
// and those in /home of users whom a directory service names. Those on file
// systems of other machines, or that appear when one looks, are left out: to
// look at them may hang, and they are not this host's.
func (t Disk) Homes() ([]Home, error) {
	users, err := t.Readable("/etc/passwd")
	if err != nil {
		return nil, err
	}
	all := homesIn(string(users))
	if t.AtHome("/home") {
		names, err := t.Names("/home")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			path := filepath.Join("/home", name)
			if !t.AtHome(path) || slices.ContainsFunc(all, func(h Home) bool { return h.Path == path }) {
				continue
			}
			var stat unix.Stat_t
			at, err := t.Reach(path)
			if err == nil {
				err = unix.Lstat(at, &stat)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("look at %s: %w", path, err)
			}
			if err == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR {
				all = append(all, Home{Path: path, user: stat.Uid})
			}
		}
	}
	return slices.DeleteFunc(all, func(h Home) bool { return !t.AtHome(h.Path) }), nil
}
