// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mounted is a host whose mounts are some, "PATH TYPE" each.
func mounted(t *testing.T, mounts ...string) *Remotes {
	t.Helper()
	var info strings.Builder
	for _, m := range mounts {
		at, kind, _ := strings.Cut(m, " ")
		info.WriteString("36 35 98:0 / " + at + " rw - " + kind + " source rw\n")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mountinfo"), []byte(info.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return Of(dir)
}

// A host with links of every kind: net is another machine's, net/local a disk on it.
func TestAPathIsFollowedNoFurtherThanAnotherMachinesFileSystem(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"near": "plain", "far": filepath.Join(top, "net/x"), "relative": "dir/../net", "twice": "far", "loop": "loop", "gone": "nowhere",
		"back": "net/../plain", "dir/up": "../../" + filepath.Base(top) + "/plain", "onto": "net/local/file", "named": "network",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Join(top, filepath.Dir(link)), 0o700), os.Symlink(to, filepath.Join(top, link))); err != nil {
			t.Fatal(err)
		}
	}
	r := mounted(t, "/ ext4", "/proc/sys/fs/binfmt_misc autofs", top+"/net nfs4", top+"/net/local ext4", top+"/auto autofs")
	for path, want := range map[string]struct {
		at  string
		err error
	}{
		"plain/file": {"plain/file", nil}, "near/file": {"plain/file", nil}, "gone/file": {"nowhere/file", nil},
		"dir/up/file": {"plain/file", nil}, "net": {"", ErrRemote}, "net/x": {"", ErrRemote}, "far": {"", ErrRemote},
		"relative/x": {"", ErrRemote}, "twice": {"", ErrRemote}, "back": {"", ErrRemote}, "onto": {"", ErrRemote},
		"network": {"network", nil}, "named": {"network", nil}, "loop": {"", unix.ELOOP}, "auto/x": {"", ErrRemote},
		"net/local/file": {"", ErrRemote}, // the way to it is on the other machine
	} {
		got, err := r.Path(filepath.Join(top, path), true)
		if !errors.Is(err, want.err) || err == nil && got != filepath.Join(top, want.at) {
			t.Errorf("%s: got %s, %v", path, got, err)
		}
	}
	for _, path := range []string{"far", "twice", "loop", "gone", "plain/x"} {
		if got, err := r.Path(filepath.Join(top, path), false); err != nil || got != filepath.Join(top, path) {
			t.Errorf("%s itself: got %s, %v", path, got, err)
		}
	}
}

func TestAHostOfOneMachineIsAskedNothing(t *testing.T) {
	const path = "/no/such/./path"
	r := mounted(t, "/ ext4", "/run tmpfs", "/proc/sys/fs/binfmt_misc autofs", "/sys/fs/fuse/connections fusectl")
	if got, err := r.Path(path, true); err != nil || got != path || len(r.known.at) > 0 {
		t.Errorf("got %s, %v, %v", got, err, r.known)
	}
	if _, err := Of("/no/such/process").Path(path, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("mounts that cannot be read: %v", err)
	}
}

func TestAMountIsKnownByAPathOfAnyKind(t *testing.T) {
	deep := strings.Repeat("/long", 40_000)
	r := mounted(t, "/ ext4", deep+" tmpfs", `/with\040a\134space nfs`)
	if _, err := r.Path(`/with a\space/file`, true); !errors.Is(err, ErrRemote) {
		t.Errorf("got %v", err)
	}
}

func TestTheRootDirectoryMayBeAnotherMachines(t *testing.T) {
	r := mounted(t, "/ nfs4", "/home nfs4")
	if got, err := r.Path("/etc/hostname", true); err != nil || got != "/etc/hostname" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := r.Path("/home/ann", true); !errors.Is(err, ErrRemote) {
		t.Errorf("got %v", err)
	}
}

// What a process has is reached over links in /proc, whose text is a path of that process'.
func TestAPathThroughAProcessIsFollowedAsItsMountsAre(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, "net")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	r := mounted(t, "/ ext4", dir+" nfs4")
	ours := filepath.Join(filepath.Dir(r.mountinfo), "ns")
	link := func(namespace string) {
		_ = os.RemoveAll(ours)
		if err := errors.Join(os.Mkdir(ours, 0o700), os.Symlink(namespace, ours+"/mnt")); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]map[string]error{
		self: {
			"/proc/self/root" + dir + "/x": ErrRemote, "/proc/self/cwd/net/x": ErrRemote, "/proc/thread-self/root" + dir: ErrRemote,
			"/proc/self/root" + top + "/y": nil, "/proc/self/cwd/y": nil, "/proc/self/status": nil, "/proc/sys/kernel/hostname": nil,
			top + "/through/net": ErrRemote,
		},
		"mnt:[1]": {
			"/proc/self/root" + top + "/y": ErrRemote, "/proc/self/cwd/y": ErrRemote, "/proc/self/fd/0": ErrRemote, "/proc/self/status": nil,
		},
	} {
		link(namespace)
		_ = os.Symlink("/proc/self/cwd", top+"/through")
		for path, err := range want {
			if _, got := r.Path(path, true); !errors.Is(got, err) {
				t.Errorf("%s in %s: %v", path, namespace, got)
			}
		}
	}
}

func TestFileSystemsThatMayNotAnswerAreKnownByTheirTypes(t *testing.T) {
	for kind, want := range map[string]bool{
		"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "ceph": true, "9p": true, "virtiofs": true, "glusterfs": true, "lustre": true,
		"beegfs": true, "afs": true, "gpfs": true, "ocfs2": true, "gfs2": true, "orangefs": true, "vboxsf": true, "panfs": true,
		"fuse": true, "fuseblk": true, "fuse.sshfs": true, "fuse.glusterfs": true, "fuse.s3fs": true, "fuse.ceph-fuse": true,
		"ext4": false, "xfs": false, "btrfs": false, "bcachefs": false, "zfs": false, "overlay": false, "tmpfs": false, "nfsd": false,
		"fusectl": false, "autofs": false, "rpc_pipefs": false, "f2fs": false, "cgroup2": false, "": false,
	} {
		if got := Remote(kind); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}
