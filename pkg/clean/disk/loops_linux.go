// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// volumeLoop is a loop device that keeps a pod's block volume open.
type volumeLoop struct {
	host.Loop
	// mount is where the volume is bound below the kubelet's directory.
	mount string
}

// volumeLoops are the loop devices with which a kubelet keeps block volumes open
// (pkg/volume/util/volumepathhandler, 1.36): on a block device that is bound to a path
// of its own. They carry no data. A kubelet that is stopped before it has torn the
// volumes down leaves them, and what they are on cannot be unmounted
// (kubernetes/kubernetes#102408, #109132). A loop device on a plain file is foreign,
// unless the file goes (imageLoops).
func (t Disk) volumeLoops(mounts []host.Mount, ours func(host.Mount) bool) ([]volumeLoop, error) {
	var bound []string
	for _, m := range mounts {
		var st unix.Stat_t
		if m.Root != "/" && m.Class() != host.Remote && ours(m) && unix.Lstat(t.Path(m.Path), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
			bound = append(bound, m.Path)
		}
	}
	if len(bound) == 0 {
		return nil, nil
	}
	loops, err := host.Loops()
	var out []volumeLoop
	for _, loop := range loops {
		for _, path := range bound {
			if loop.On(t.Path(path)) {
				out = append(out, volumeLoop{loop, path})
				break
			}
		}
	}
	return out, err
}

// imageLoops are the loop devices on files that go with a kubelet's directory: images in
// which a driver keeps volumes (dell/csi-baremetal#387). A file that is deleted while a loop
// device is on it keeps its space until the next boot, and nothing shows it. The file counts,
// not what the kernel calls it: a driver in a pod has it elsewhere, and another host that
// shares this kernel may have one of that name. Not all may be seen: then those that are, and
// why.
func (t Disk) imageLoops(mounts []host.Mount, ours func(host.Mount) bool) ([]imageLoop, error) {
	loops, err := host.Loops()
	domains, wanted := t.domains(mounts), map[fileID]host.Loop{}
	loops = slices.DeleteFunc(loops, func(l host.Loop) bool { return t.elsewhere(l, domains) })
	for _, loop := range loops {
		wanted[fileID{loop.Dev, loop.Inode}] = loop
	}
	var out []imageLoop
	w := imageWalk{t: t, wanted: wanted, mounts: map[string]bool{}, found: func(path string, loop host.Loop, with string) {
		one := imageLoop{Loop: loop, file: path, with: with}
		for _, m := range mounts {
			if !slices.Contains(t.Blocks(m), loop.Number) {
				continue
			}
			one.mounted = one.mounted || ours(m)
			if !ours(m) {
				one.keptBy = m.Path
			}
		}
		out = append(out, one)
	}}
	for _, m := range mounts {
		w.mounts[m.Path] = true
	}
	for _, d := range domains {
		var st unix.Stat_t
		at, unreached := t.Follow(d.path)
		near := unreached == nil && unix.Stat(at, &st) == nil && !d.remote
		if near && slices.ContainsFunc(loops, func(l host.Loop) bool { return mayHold(st.Dev, l.Dev) }) {
			err = errors.Join(err, w.dir(d, d.path, 0))
		}
	}
	return out, err
}

// mayHold reports whether a file of one number of a device, as stat(2) has it, may be below a
// directory of another, within one mount. On a file system that is on no device of its own each
// subvolume has a number (btrfs), or each layer (an overlay): major 0.
func mayHold(dir, file uint64) bool {
	return dir == file || unix.Major(dir) == 0 && unix.Major(file) == 0
}

// elsewhere reports whether the file of a loop device is where the kernel says, and that is
// in no directory of a kubelet's: a package's image (snapd has dozens), or an administrator's.
func (t Disk) elsewhere(l host.Loop, domains []domain) bool {
	root := strings.TrimSuffix(t.Path("/"), "/")
	path, inside := strings.CutPrefix(l.Backing, root)
	if !inside || !filepath.IsAbs(path) || slices.ContainsFunc(domains, func(d domain) bool { return host.Below(path, d.path) }) {
		return false
	}
	at, err := t.Reach(path)
	return err == nil && l.On(at)
}

// imageLoop is a loop device on a file that goes.
type imageLoop struct {
	host.Loop
	// file is where it is, and with the kubelet's directory with which it goes.
	file, with string
	// mounted says that a mount that goes is of it, and keptBy is one that stays.
	mounted bool
	keptBy  string
}

// item is how an inventory lists it. One that something else uses keeps its file, which is
// released with its last user.
func (l imageLoop) item() inventory.Item {
	it := inventory.Item{
		Kind: inventory.KindBlock, Name: l.Device, In: l.file, Owner: inventory.Kubelet, Fate: inventory.Goes,
		Detail: "a volume's image, which goes",
	}
	held := l.Holder()
	switch {
	case l.keptBy != "":
		held = "the mount at " + l.keptBy
	case held == "" && l.Clearing && !l.mounted:
		held = "a program or a container with mounts of its own"
	}
	if held != "" {
		it.Owner, it.Fate, it.Why = inventory.Foreign, inventory.Stays, held+" uses it"
		it.Refers = "it is on " + l.file + ", whose space is not freed before " + held + " has ended"
	}
	return it
}

// Images are the loop devices on files that go, by the device's number, and the files.
func (t Disk) Images() (map[string]string, error) {
	mounts, err := t.Mounts()
	if err != nil {
		return nil, err
	}
	images, _ := t.imageLoops(mounts, t.Ours(mounts)) // what is not seen, the look names
	out := map[string]string{}
	for _, image := range images {
		out[image.Number] = image.file
	}
	return out, nil
}

// imagesInTheWay returns an error if a volume's image would go: all data of that volume.
func (t Disk) imagesInTheWay() error {
	mounts, err := t.Mounts()
	if err != nil || t.Choices.DeleteHostData || t.Scope.Limited() {
		return err
	}
	images, _ := t.imageLoops(mounts, t.Ours(mounts)) // what is not seen, the look names
	for _, image := range images {
		return plan.Refuse(fmt.Errorf("%s is a volume's data (%s is on it), and it would go with %s", image.file, image.Device, image.with),
			"move it to another directory of the host; or let it go: --delete-host-data")
	}
	return nil
}

// fileID tells a file from all others of this machine.
type fileID struct{ dev, inode uint64 }

// imageWalk looks for files by what they are.
type imageWalk struct {
	t       Disk
	wanted  map[fileID]host.Loop
	mounts  map[string]bool
	entries int
	found   func(path string, loop host.Loop, with string)
}

// The bounds of a walk. A driver keeps images in a directory of its own, not deep below.
const (
	mostImageEntries = 50_000
	deepestImage     = 12
)

// file tells of a file on which a loop device is.
func (w *imageWalk) file(d domain, path string) {
	var st unix.Stat_t
	at, err := w.t.Reach(path)
	if err != nil || unix.Lstat(at, &st) != nil {
		return
	}
	if loop, is := w.wanted[fileID{st.Dev, st.Ino}]; is {
		w.found(path, loop, filepath.Dir(d.path)+"/"+d.name)
	}
}

// dir looks in a directory of this host's own, and what is in it; never in a mount, which is
// of a volume.
func (w *imageWalk) dir(d domain, dir string, depth int) error {
	entries, more, err := w.t.Some(dir, mostImageEntries-w.entries)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) { // a kubelet's state is a file
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if w.entries++; w.mounts[path] || depth == 0 && !d.holds(path) {
			continue
		}
		switch {
		case e.IsDir() && depth < deepestImage:
			if err := w.dir(d, path, depth+1); err != nil {
				return err
			}
		case e.Type().IsRegular():
			w.file(d, path)
		}
	}
	if more {
		return fmt.Errorf("look in %s for files that loop devices are on: there are more than %d", d.path, mostImageEntries)
	}
	return nil
}
