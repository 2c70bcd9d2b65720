// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/reach"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Mount is one mount as PID 1 sees it.
type Mount struct {
	ID, Parent int
	// Path is where it is mounted, in the host's terms (below Local.Root).
	Path string
	// Root is what of its file system is mounted: "/" or a directory, then it
	// is a bind mount.
	Root   string
	Device string // major:minor
	FSType string
	Source string
	// Options are those of an overlay, which directories are its layers, of an automount, whether
	// its program is there, and of btrfs, which subvolume it is. Of another file system they are
	// not kept, since they may hold a password.
	Options string
	// Peers is the number of the group of mounts that share what is mounted
	// and unmounted below them; zero for a mount that shares with none. Slave
	// is true if what happens elsewhere happens here.
	Peers int
	Slave bool
}

// Class says what would be lost or hang if one were careless with a mount.
type Class string

// The classes of mounts.
const (
	Memory Class = "memory"    // tmpfs: secrets, tokens, emptyDirs in memory
	Remote Class = "remote"    // NFS, CIFS, Ceph, FUSE …: may hang
	Bind   Class = "host bind" // a directory of another file system: someone else's data
	Disk   Class = "disk"      // a block device: someone's data
	Pseudo Class = "pseudo"    // proc, sysfs, cgroup, namespaces, overlay …
)

// Class tells the class of a mount by its file system.
func (m Mount) Class() Class {
	if reach.Remote(m.FSType) {
		return Remote
	}
	switch kind, _, _ := strings.Cut(m.FSType, "."); kind {
	case "overlay":
		if m.Root == "/" {
			return Pseudo
		}
	case "proc", "sysfs", "cgroup", "cgroup2", "nsfs", "bpf", "mqueue", "devpts", "debugfs", "tracefs",
		"securityfs", "pstore", "hugetlbfs", "configfs", "binfmt_misc", "autofs", "rpc_pipefs", "fusectl":
		return Pseudo
	case "tmpfs", "ramfs", "devtmpfs":
		if m.Root == "/" && kind != "devtmpfs" {
			return Memory
		}
	}
	if m.Root != "/" && !m.subvolume() {
		return Bind
	}
	return Disk
}

// subvolume reports whether a mount is of a whole subvolume of btrfs: its root is not "/" then,
// and it is no directory that was bound.
func (m Mount) subvolume() bool {
	return m.FSType == "btrfs" && strings.Contains(","+m.Options+",", ",subvol="+m.Root+",")
}

// Alone reports whether a mount is a disk, a subvolume or memory that none of some others shows
// elsewhere, so that what is in it was given to this directory: the root of a file system that is
// mounted elsewhere can be bound, too. File systems are compared by the number that the list of
// mounts has for them, which each has alone, of one device or of many; what stat(2) says of a
// file is another one on btrfs and overlays.
func (m Mount) Alone(all []Mount) bool {
	if class := m.Class(); class != Disk && class != Memory {
		return false
	}
	within := func(path, dir string) bool { return path == dir || Below(path, dir) }
	return !slices.ContainsFunc(all, func(o Mount) bool {
		return o.Device == m.Device && o.Path != m.Path && !Below(o.Path, m.Path) && (within(o.Root, m.Root) || within(m.Root, o.Root))
	})
}

// Blocks are the numbers of the block devices that a mount's file system is on, as far as the
// kernel tells. One that may have several (btrfs, bcachefs) has a number that is no device's.
func (l Local) Blocks(m Mount) []string {
	switch {
	case m.Class() == Remote:
		return nil
	case !strings.HasPrefix(m.Device, "0:"):
		return []string{m.Device}
	case !filepath.IsAbs(m.Source):
		return nil
	}
	var out []string
	for _, source := range append([]string{m.Source}, strings.Split(m.Source, ":")...) { // bcachefs: one:another
		at, err := l.Follow(source)
		var st unix.Stat_t
		if err != nil || unix.Stat(at, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
			continue
		}
		if number := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)); !slices.Contains(out, number) {
			out = append(out, number)
		}
	}
	if m.FSType == "btrfs" {
		out = l.together(out)
	}
	return out
}

// together are the devices of those file systems of btrfs of which some devices are.
func (l Local) together(some []string) []string {
	out := slices.Clone(some)
	sets, _ := l.Glob("/sys/fs/btrfs/*/devices") // none
	for _, set := range sets {
		var all []string
		devices, _ := l.Glob(set + "/*/dev")
		for _, device := range devices {
			if number, err := ReadHead(l.Path(device), mostOfProc); err == nil {
				all = append(all, strings.TrimSpace(string(number)))
			}
		}
		if slices.ContainsFunc(all, func(number string) bool { return slices.Contains(some, number) }) {
			out = append(out, all...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Mounts returns the mounts of the host (below Local.Root), in the kernel's
// order: a mount comes after the one it is mounted on.
func (l Local) Mounts() ([]Mount, error) {
	f, err := os.Open(filepath.Join(l.proc(), "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer func() { _ = f.Close() }() // it was read
	var out []Mount
	err = reach.EachMount(f, func(i reach.Entry) {
		path, inside := strings.CutPrefix(i.Path, strings.TrimSuffix(filepath.Join("/", l.Root), "/"))
		if !inside || (path != "" && path[0] != '/') {
			return
		}
		peers, slave := 0, false
		for _, o := range i.Tags {
			if n, yes := strings.CutPrefix(o, "shared:"); yes {
				peers, _ = strconv.Atoi(n)
			}
			slave = slave || strings.HasPrefix(o, "master:")
		}
		options := ""
		if i.FSType == "overlay" || i.FSType == "autofs" || i.FSType == "btrfs" {
			options = i.VFSOptions
		}
		out = append(out, Mount{
			Options: options,
			ID:      i.ID, Parent: i.Parent, Path: filepath.Join("/", path), Root: i.Root, FSType: i.FSType, Source: i.Source,
			Device: i.Device, Peers: peers, Slave: slave,
		})
	})
	if err != nil {
		return nil, readMountsError(err)
	}
	return out, nil
}

// readMountsError says what to do where a mount is so odd that the list of mounts cannot be read.
func readMountsError(err error) error {
	var at *reach.MountsError
	is := errors.As(err, &at)
	err = fmt.Errorf("read mounts: %w", err)
	switch {
	case is && at.Path != "" && len(at.Path) < unix.PathMax:
		return plan.Hint(err, "see what is mounted there, and what mounts it, then unmount it: %s", text.Command("umount", at.Path))
	case is:
		return plan.Hint(err, "see what is mounted on the host (cat /proc/1/mountinfo), and end what mounts it")
	}
	return err
}

// Below reports whether a path lies strictly below a directory.
func Below(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/") && path != dir
}

// UnmountOrder puts those mounts for which ours says yes in an order in which
// each can be unmounted when its turn comes: what is mounted on a mount goes
// before it, and what hides another goes before what it hides.
//
// Neither the ids nor the length of the path tells: ids are reused (the lowest
// free one is taken), and a mount at /a may hide an older one at /a/b. The
// parent tells, and among mounts on one parent a shorter path hides a longer.
func UnmountOrder(mounts []Mount, ours func(Mount) bool) []Mount {
	children := map[int][]int{}
	known := map[int]bool{}
	for _, m := range mounts {
		known[m.ID] = true
	}
	var tops, all []int
	for i, m := range mounts {
		all = append(all, i)
		if known[m.Parent] && m.Parent != m.ID {
			children[m.Parent] = append(children[m.Parent], i)
			continue
		}
		tops = append(tops, i)
	}
	byPath := func(a, b int) int { return strings.Compare(mounts[a].Path, mounts[b].Path) }
	var out []Mount
	seen := make([]bool, len(mounts))
	var visit func(some []int)
	visit = func(some []int) {
		slices.SortStableFunc(some, byPath)
		for _, i := range some {
			if seen[i] {
				continue
			}
			seen[i] = true
			if visit(children[mounts[i].ID]); ours(mounts[i]) {
				out = append(out, mounts[i])
			}
		}
	}
	visit(tops)
	visit(all) // ids that are given again while the list is read may make a circle
	return out
}
