// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

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
