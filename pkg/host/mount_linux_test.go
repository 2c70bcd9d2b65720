// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestUnmountOrder(t *testing.T) {
	for _, tc := range []struct {
		name   string
		mounts []host.Mount
		want   []int
	}{
		{"what is mounted on a mount goes before it", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/k/a"}, {ID: 3, Parent: 2, Path: "/k/a/b"},
		}, []int{3, 2}},
		{"an id says nothing, since the lowest free one is used again", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 9, Parent: 1, Path: "/k/a"}, {ID: 2, Parent: 9, Path: "/k/a/b"},
		}, []int{2, 9}},
		{"of mounts at one place the upper one goes first", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 5, Parent: 1, Path: "/k/a"}, {ID: 4, Parent: 5, Path: "/k/a"},
		}, []int{4, 5}},
		{"a mount that hides another goes before the hidden one", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/k/a/b"}, {ID: 3, Parent: 1, Path: "/k/a"},
		}, []int{3, 2}},
		{"what is not ours stays, and what is ours below it goes", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/other"}, {ID: 3, Parent: 2, Path: "/k/x"},
		}, []int{3}},
		{"a mount that is its own parent does not loop", []host.Mount{{ID: 1, Parent: 1, Path: "/k/a"}}, []int{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []int
			for _, m := range host.UnmountOrder(tc.mounts, func(m host.Mount) bool { return host.Below(m.Path, "/k") }) {
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClass(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mount host.Mount
		want  host.Class
	}{
		{"a secret's tmpfs is memory", host.Mount{FSType: "tmpfs", Root: "/"}, host.Memory},
		{"a directory of a tmpfs is someone's", host.Mount{FSType: "tmpfs", Root: "/x"}, host.Bind},
		{"a volume's disk is a disk", host.Mount{FSType: "ext4", Root: "/"}, host.Disk},
		{"a directory of the host's disk is a bind mount", host.Mount{FSType: "ext4", Root: "/etc"}, host.Bind},
		{"a directory of a container's root is a bind mount", host.Mount{FSType: "overlay", Root: "/etc"}, host.Bind},
		{"a container's root is of no interest", host.Mount{FSType: "overlay", Root: "/"}, host.Pseudo},
		{"a subvolume of btrfs is a disk", host.Mount{FSType: "btrfs", Root: "/@var", Options: "rw,ssd,subvolid=258,subvol=/@var"}, host.Disk},
		{"a directory of a subvolume is a bind mount", host.Mount{FSType: "btrfs", Root: "/@var/x", Options: "rw,subvolid=258,subvol=/@var"},
			host.Bind},
		{"a subvolume whose name begins alike", host.Mount{FSType: "btrfs", Root: "/@", Options: "rw,subvol=/@var"}, host.Bind},
		{"a name that another file system's options have", host.Mount{FSType: "ext4", Root: "/@", Options: "subvol=/@"}, host.Bind},
		{"bcachefs on several devices is a disk", host.Mount{FSType: "bcachefs", Root: "/", Source: "/dev/sda:/dev/sdb"}, host.Disk},
		{"a dataset of ZFS is a disk", host.Mount{FSType: "zfs", Root: "/", Source: "tank/x"}, host.Disk},
		{"NFS may hang", host.Mount{FSType: "nfs4", Root: "/"}, host.Remote},
		{"a FUSE of any kind may hang", host.Mount{FSType: "fuse.sshfs", Root: "/"}, host.Remote},
		{"a network namespace is the kernel's", host.Mount{FSType: "nsfs", Root: "net:[4026532000]"}, host.Pseudo},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.mount.Class(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestADiskThatIsShownElsewhereIsNotADirectorysOwn(t *testing.T) {
	disk := func(path, root string) host.Mount {
		return host.Mount{Path: path, Device: "8:16", FSType: "ext4", Root: root}
	}
	subvolume := func(path, root string) host.Mount {
		return host.Mount{Path: path, Device: "0:45", FSType: "btrfs", Root: root, Options: "subvol=" + root}
	}
	for name, tc := range map[string]struct {
		mount host.Mount
		also  []host.Mount
		want  bool
	}{
		"a disk of its own":                   {disk("/var/lib/kubelet", "/"), nil, true},
		"the whole disk, bound":               {disk("/var/lib/kubelet/pods", "/"), []host.Mount{disk("/data", "/")}, false},
		"of which another directory is bound": {disk("/var/lib/kubelet", "/"), []host.Mount{disk("/srv/x", "/x")}, false},
		"bound below itself, as for a pod":    {disk("/var/lib/kubelet", "/"), []host.Mount{disk("/var/lib/kubelet/pods/u/v", "/x")}, true},
		"a directory of a disk":               {disk("/var/lib/kubelet", "/x"), nil, false},
		"mounted twice at one path":           {disk("/var/lib/kubelet", "/"), []host.Mount{disk("/var/lib/kubelet", "/")}, true},
		"another disk": {disk("/var/lib/kubelet", "/"),
			[]host.Mount{{Path: "/data", Device: "8:17", FSType: "ext4", Root: "/"}}, true},
		"a subvolume beside the root's":              {subvolume("/var/lib/kubelet", "/@kubelet"), []host.Mount{subvolume("/", "/@")}, true},
		"a subvolume of a file system that is shown": {subvolume("/var/lib/kubelet", "/@kubelet"), []host.Mount{subvolume("/mnt", "/")}, false},
		"a subvolume at two places":                  {subvolume("/var/lib/kubelet", "/@k"), []host.Mount{subvolume("/data", "/@k")}, false},
		"memory that is bound": {host.Mount{Path: "/a", Device: "0:50", FSType: "tmpfs", Root: "/"},
			[]host.Mount{{Path: "/b", Device: "0:50", FSType: "tmpfs", Root: "/"}}, false},
		"a layered file system": {host.Mount{Path: "/a", Device: "0:50", FSType: "overlay", Root: "/"}, nil, false},
	} {
		if got := tc.mount.Alone(append(tc.also, tc.mount)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAFileSystemIsOnAllItsDevices(t *testing.T) {
	root := t.TempDir()
	for path, number := range map[string]string{"sda": "8:0", "sdb": "8:16", "dm-1": "253:1"} {
		dir := filepath.Join(root, "sys/fs/btrfs/1234/devices", path)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "dev"), []byte(number+"\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	node := func(path string, major, minor uint32) {
		if err := errors.Join(os.MkdirAll(filepath.Join(root, "dev"), 0o700), unix.Mknod(filepath.Join(root, path), unix.S_IFBLK|0o600,
			int(unix.Mkdev(major, minor)))); err != nil {
			t.Skip("it needs root: ", err)
		}
	}
	node("dev/sdb", 8, 16)
	node("dev/rbd0", 251, 0)
	if err := os.Symlink("sdb", root+"/dev/data"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		mount host.Mount
		want  string
	}{
		"one device":                   {host.Mount{FSType: "ext4", Device: "8:1", Source: "/dev/sda1"}, "8:1"},
		"btrfs on three":               {host.Mount{FSType: "btrfs", Device: "0:45", Source: "/dev/sdb"}, "253:1 8:0 8:16"},
		"btrfs, by a link":             {host.Mount{FSType: "btrfs", Device: "0:45", Source: "/dev/data"}, "253:1 8:0 8:16"},
		"btrfs on another":             {host.Mount{FSType: "btrfs", Device: "0:46", Source: "/dev/rbd0"}, "251:0"},
		"btrfs whose device is hidden": {host.Mount{FSType: "btrfs", Device: "0:47", Source: "/dev/root"}, ""},
		"bcachefs on two":              {host.Mount{FSType: "bcachefs", Device: "0:48", Source: "/dev/rbd0:/dev/sdb"}, "251:0 8:16"},
		"a dataset of ZFS":             {host.Mount{FSType: "zfs", Device: "0:49", Source: "tank/x"}, ""},
		"memory":                       {host.Mount{FSType: "tmpfs", Device: "0:50", Source: "tmpfs"}, ""},
		"another machine's":            {host.Mount{FSType: "nfs4", Device: "0:51", Source: "/dev/sdb"}, ""},
	} {
		if got := strings.Join(host.Local{Root: root}.Blocks(tc.mount), " "); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
