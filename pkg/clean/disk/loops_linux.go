// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
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
// (kubernetes/kubernetes#102408, #109132). A loop device on a plain file is foreign.
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
