// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// kernel is a host whose kernel has some block devices, number and place, and files.
func kernel(t *testing.T, devices, files map[string]string) Devices {
	t.Helper()
	root := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(path, content string) {
		must(os.MkdirAll(filepath.Dir(root+path), 0o700))
		must(os.WriteFile(root+path, []byte(content+"\n"), 0o600))
	}
	must(os.MkdirAll(root+"/sys/dev/block", 0o700))
	for number, at := range devices {
		must(os.MkdirAll(filepath.Join(root, "sys/devices", at), 0o700))
		must(os.Symlink("../../devices/"+at, root+"/sys/dev/block/"+number))
	}
	for path, content := range files {
		put(path, content)
	}
	ours := func([]host.Mount) func(host.Mount) bool {
		return func(m host.Mount) bool { return host.Below(m.Path, "/var/lib/kubelet") }
	}
	return Devices{Host: part.Host{Local: host.Local{Root: root}}, Ours: ours}
}

func TestWhatWasAttachedForAVolumeIsToldFromADiskOfTheMachine(t *testing.T) {
	devices := map[string]string{
		"7:1": "virtual/block/loop1", "251:0": "virtual/block/rbd0", "43:0": "virtual/block/nbd0", "147:1000": "virtual/block/drbd1000",
		"253:0": "virtual/block/dm-0", "253:1": "virtual/block/dm-1", "253:2": "virtual/block/dm-2", "253:3": "virtual/block/dm-3",
		"8:16": "platform/host3/session1/target3:0:0/3:0:0:1/block/sdb", "8:17": "platform/host3/session1/target3:0:0/3:0:0:1/block/sdb/sdb1",
		"8:32":  "pci0000:00/0000:03:00.0/host4/rport-4:0-1/target4:0:0/4:0:0:0/block/sdc",
		"8:0":   "pci0000:00/0000:00:1f.2/ata1/host0/block/sda",
		"259:0": "virtual/nvme-fabrics/ctl/nvme0/nvme0n1", "259:1": "virtual/nvme-subsystem/nvme-subsys1/nvme1n1",
		"259:2": "virtual/nvme-subsystem/nvme-subsys2/nvme2n1", "259:3": "pci0000:00/0000:01:00.0/nvme/nvme3/nvme3n1",
		"252:0": "pci/virtio1/block/vda",
	}
	on := kernel(t, devices, map[string]string{
		"/sys/devices/virtual/block/dm-0/dm/uuid": "CRYPT-LUKS2-x", "/sys/devices/virtual/block/dm-1/dm/uuid": "mpath-360",
		"/sys/devices/virtual/block/dm-2/dm/uuid": "LVM-abc", "/sys/devices/virtual/block/dm-3/dm/uuid": "part1-mpath-360",
		"/sys/class/nvme-subsystem/nvme-subsys1/nvme1/transport": "pcie", "/sys/class/nvme-subsystem/nvme-subsys2/nvme2/transport": "tcp",
	})
	got := map[string]string{}
	for number, at := range devices {
		got[number] = on.kind(number, at)
	}
	want := map[string]string{
		"7:1": "loop device", "251:0": "image of Ceph (rbd)", "43:0": "network block device", "147:1000": "DRBD device",
		"253:0": "encrypted device", "253:1": "multipath device", "253:2": "logical volume", "253:3": "multipath device",
		"8:16": "disk of an iSCSI session", "8:17": "disk of an iSCSI session", "8:32": "disk of Fibre Channel", "8:0": "",
		"259:0": "NVMe over fabrics", "259:1": "", "259:2": "NVMe over fabrics", "259:3": "", "252:0": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADeviceThatTheHostHasMountedForItselfIsNotAPodsAlone(t *testing.T) {
	on := kernel(t, map[string]string{"253:0": "virtual/block/dm-0", "251:0": "virtual/block/rbd0"},
		map[string]string{"/sys/devices/virtual/block/rbd0/diskseq": "12"})
	volume := func(name, device, root string) host.Mount {
		return host.Mount{Path: "/var/lib/kubelet/pods/" + name, Device: device, FSType: "ext4", Root: root}
	}
	got := on.attached([]host.Mount{
		{Path: "/", Device: "253:0", FSType: "ext4", Root: "/"}, volume("sub", "253:0", "/srv"), volume("a", "251:0", "/"),
		volume("b", "251:0", "/"), volume("tmp", "0:55", "/"), volume("gone", "251:9", "/"),
	}, nil)
	want := []device{{Number: "251:0", Name: "/dev/rbd0", Kind: "image of Ceph (rbd)", Sequence: "12", Path: "/var/lib/kubelet/pods/a"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !on.same(got[0]) {
		t.Error("it is not the same any more")
	}
	for name, other := range map[string]device{
		"another that has its number":  {Number: "251:0", Name: "/dev/rbd0", Sequence: "11"},
		"one that is gone":             {Number: "251:1", Name: "/dev/rbd1"},
		"a loop device without a file": {Number: "251:0", Name: "/dev/rbd0", Sequence: "12", Backing: "/srv/x"},
	} {
		if on.same(other) {
			t.Errorf("%s is taken for it", name)
		}
	}
}

// A file system may be on several devices, and a device on others: LVM, arrays, encryption.
func TestEachDeviceBelowAVolumeIsTold(t *testing.T) {
	block := func(name string) string { return "virtual/block/" + name }
	devices := map[string]string{
		"251:0": block("rbd0"), "251:16": block("rbd1"), "253:1": block("dm-1"), "253:2": block("dm-2"), "253:3": block("dm-3"),
		"9:0": block("md0"), "8:0": "pci/ata1/block/sda", "8:1": "pci/ata1/block/sda/sda1", "8:16": "platform/host3/session1/block/sdb",
		"8:17": "platform/host3/session1/block/sdb/sdb1", "8:18": "platform/host3/session1/block/sdb/sdb2",
	}
	files := map[string]string{}
	for number, at := range devices {
		files["/sys/devices/"+at+"/dev"] = number
		if disk := filepath.Base(filepath.Dir(at)); strings.HasPrefix(disk, "sd") {
			files["/sys/devices/"+at+"/partition"] = "1"
		}
	}
	on := func(name, lower, number string) { files["/sys/devices/"+block(name)+"/slaves/"+lower+"/dev"] = number }
	on("dm-1", "rbd0", "251:0") // LUKS on an image
	on("dm-2", "sdb1", "8:17")  // the host's own volume
	on("dm-3", "md0", "9:0")
	on("md0", "sda1", "8:1")
	on("md0", "rbd1", "251:16")
	for name, number := range map[string]string{"rbd0": "251:0", "rbd1": "251:16"} {
		files["/sys/fs/btrfs/u/devices/"+name+"/dev"] = number
	}
	k := kernel(t, devices, files)
	err := errors.Join(os.MkdirAll(k.Path("/dev"), 0o700), unix.Mknod(k.Path("/dev/rbd1"), unix.S_IFBLK|0o600, int(unix.Mkdev(251, 16))))
	if err != nil {
		t.Skip("it needs root: ", err)
	}
	volume := func(device, kind, source string) host.Mount {
		return host.Mount{Path: "/var/lib/kubelet/pods/v", Device: device, FSType: kind, Root: "/", Source: source}
	}
	root := func(device, kind, source string) host.Mount {
		return host.Mount{Path: "/", Device: device, FSType: kind, Root: "/", Source: source}
	}
	for name, tc := range map[string]struct {
		mounts []host.Mount
		want   string
	}{
		"encryption on an image":        {[]host.Mount{volume("253:1", "ext4", "/dev/dm-1")}, "/dev/dm-1 /dev/rbd0"},
		"btrfs on two images":           {[]host.Mount{volume("0:45", "btrfs", "/dev/rbd1")}, "/dev/rbd0 /dev/rbd1"},
		"btrfs, whose device is hidden": {[]host.Mount{volume("0:45", "btrfs", "/dev/root")}, "/dev/root"},
		"a dataset of ZFS":              {[]host.Mount{volume("0:46", "zfs", "tank/pvc")}, "tank"},
		"a dataset of the host's pool": {[]host.Mount{root("0:47", "zfs", "tank/root"), volume("0:46", "zfs", "tank/pvc")},
			""},
		"a subvolume of the host's file system": {[]host.Mount{root("0:45", "btrfs", "/dev/root"), volume("0:45", "btrfs", "/dev/root")},
			""},
		"an array with a disk of the machine's": {[]host.Mount{volume("253:3", "xfs", "/dev/dm-3")},
			"/dev/dm-3 /dev/md0 /dev/rbd1"},
		"a partition of a disk of the host's own": {[]host.Mount{root("253:2", "xfs", "/dev/dm-2"), volume("8:18", "xfs", "/dev/sdb2")},
			""},
		"a partition": {[]host.Mount{volume("8:18", "xfs", "/dev/sdb2")}, "/dev/sdb2"},
		"memory":      {[]host.Mount{volume("0:50", "tmpfs", "tmpfs")}, ""},
	} {
		var got []string
		for _, d := range k.attached(tc.mounts, nil) {
			got = append(got, d.Name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
	pool := device{Name: "tank", Kind: poolOfZFS}
	if k.same(pool) {
		t.Error("a pool that is not imported is said to be there")
	}
	if err := os.MkdirAll(k.Path("/proc/spl/kstat/zfs/tank"), 0o700); err != nil || !k.same(pool) {
		t.Errorf("a pool that is imported is not told: %v", err)
	}
}
