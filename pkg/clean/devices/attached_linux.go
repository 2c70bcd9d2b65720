// SPDX-License-Identifier: Apache-2.0

package devices

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// device is a block device that a volume was on.
type device struct {
	// Number is major:minor, or empty where that is not known, Name its path, Kind for people; Backing is the file behind a loop
	// device, or empty.
	Number  string `json:"number"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Backing string `json:"backing,omitempty"`
	// Sequence tells it from another that has its number since (diskseq, Linux 5.15).
	Sequence string `json:"sequence,omitempty"`
	// Path is where the volume was mounted.
	Path string `json:"path"`
}

const mostOfSys = 4096

// attached are the devices of the mounts that go, and those that these are on, as far as
// something attached them: not a disk that is in the machine, and none that this host has
// mounted for itself, too (its root may be encrypted, or come over iSCSI), itself or by what
// is on it.
func (t Devices) attached(mounts []host.Mount, images map[string]string) []device {
	ours, out, known := t.Ours(mounts), []device{}, map[string]bool{}
	add := func(number, path string) {
		at, err := t.Readlink("/sys/dev/block/" + number)
		if err != nil || known[number] || len(out) == mostDevices { // no block device, or one that is gone
			return
		}
		d := device{Number: number, Name: "/dev/" + filepath.Base(at), Path: path, Sequence: t.said(number, "diskseq")}
		if d.Kind = t.kind(number, at); d.Kind != "" {
			d.Backing = cmp.Or(images[number], t.said(number, "loop/backing_file"))
			out, known[number] = append(out, d), true
		}
	}
	for number, file := range images {
		add(number, file)
	}
	hosts := t.hosts(mounts, ours)
	for _, m := range mounts {
		if !ours(m) {
			continue
		}
		numbers := t.numbers(m)
		for _, number := range t.beneath(numbers) {
			if !hosts[number] && !hosts[t.whole(number)] {
				add(number, m.Path)
			}
		}
		if d, is := unnumbered(m, numbers, hosts); is && !known[d.Name] && len(out) < mostDevices {
			out, known[d.Name] = append(out, d), true
		}
	}
	return out
}

// unnumbered is the device of a volume of which the kernel names none, unless this host has it
// for itself.
func unnumbered(m host.Mount, numbers []string, hosts map[string]bool) (d device, is bool) {
	d = without(m)
	return d, len(numbers) == 0 && d.Kind != "" && !hosts[d.Name] && !hosts[m.Device]
}

// hosts are what this host has mounted for itself: the numbers of file systems and devices, of
// those that these are on, and pools of ZFS.
func (t Devices) hosts(mounts []host.Mount, ours func(host.Mount) bool) map[string]bool {
	out := map[string]bool{}
	for _, m := range mounts {
		if ours(m) {
			continue
		}
		out[m.Device], out[without(m).Name] = true, true
		for _, number := range t.beneath(t.numbers(m)) {
			out[number], out[t.whole(number)] = true, true
		}
	}
	delete(out, "")
	return out
}

// without is how a volume is noted of whose file system the kernel names no device: a pool of
// ZFS, or one of several devices none of which is found. Its kind is empty for what is on none.
func without(m host.Mount) device {
	pool, _, _ := strings.Cut(m.Source, "/")
	switch m.FSType {
	case "zfs":
		return device{Name: pool, Kind: poolOfZFS, Path: m.Path}
	case "btrfs", "bcachefs":
		return device{Name: m.Source, Kind: "device of " + m.FSType, Path: m.Path}
	}
	return device{}
}

const poolOfZFS = "pool of ZFS"

// numbers are those of the devices that a mount is of: a raw block volume is bound as the
// device's own file.
func (t Devices) numbers(m host.Mount) []string {
	if m.Class() == host.Remote {
		return nil
	}
	if m.FSType == "devtmpfs" || m.FSType == "tmpfs" && m.Root != "/" {
		at, err := t.Reach(m.Path)
		var st unix.Stat_t
		if err != nil || unix.Lstat(at, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
			return nil
		}
		return []string{fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))}
	}
	return t.Blocks(m)
}

// mostBeneath bounds how many devices one is on: an array of disks has some dozens.
const mostBeneath = 256

// beneath are some devices, and those that they are on (of the device mapper, LVM, arrays).
func (t Devices) beneath(numbers []string) []string {
	out := slices.Clone(numbers)
	for i := 0; i < len(out) && len(out) < mostBeneath; i++ {
		on, _ := t.Glob("/sys/dev/block/" + out[i] + "/slaves/*") // none
		for _, at := range on {
			raw, err := t.ReadLinked(at+"/dev", mostOfSys)
			if number := strings.TrimSpace(string(raw)); err == nil && !slices.Contains(out, number) {
				out = append(out, number)
			}
		}
	}
	return out
}

// whole is the number of the disk of which a device is a partition; empty for no partition.
func (t Devices) whole(number string) string {
	at, err := t.Readlink("/sys/dev/block/" + number)
	if err != nil || t.said(number, "partition") == "" {
		return ""
	}
	raw, err := t.ReadLinked(filepath.Join("/sys/dev/block", filepath.Dir(at), "dev"), mostOfSys)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// said is what the kernel says of a block device; empty if nothing.
func (t Devices) said(number, what string) string {
	raw, err := t.ReadLinked("/sys/dev/block/"+number+"/"+what, mostOfSys)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// kind is how a device was attached, by where the kernel has it; empty for a disk of the
// machine's own.
func (t Devices) kind(number, at string) string {
	name := filepath.Base(at)
	for _, c := range []struct{ fits, kind string }{
		{`^loop[0-9]+`, "loop device"}, {`^rbd[0-9]+`, "image of Ceph (rbd)"}, {`^nbd[0-9]+`, "network block device"},
		{`^drbd[0-9]+`, "DRBD device"}, {`^zd[0-9]+`, "volume of ZFS"}, {`^ublkb[0-9]+`, "device of a program (ublk)"},
		{`^md[0-9_]+`, "array of disks"},
	} {
		if regexp.MustCompile(c.fits).MatchString(name) {
			return c.kind
		}
	}
	switch {
	case strings.HasPrefix(name, "dm-"):
		return mapped(t.said(number, "dm/uuid"))
	case strings.Contains(at, "/session"):
		return "disk of an iSCSI session"
	case strings.Contains(at, "/rport-"):
		return "disk of Fibre Channel"
	case strings.Contains(at, "/nvme-fabrics/"), strings.Contains(at, "/nvme-subsystem/") && t.overFabrics(at):
		return "NVMe over fabrics"
	}
	return ""
}

// mapped is what a device of the device mapper is, by the prefix that its maker gave its id.
func mapped(uuid string) string {
	for prefix, kind := range map[string]string{"CRYPT-": "encrypted device", "mpath-": "multipath device", "LVM-": "logical volume"} {
		if strings.HasPrefix(uuid, prefix) || strings.Contains(uuid, "-"+prefix) { // part1-mpath-…
			return kind
		}
	}
	return "device of the device mapper"
}

// overFabrics reports whether a disk of NVMe with several ways has one that leads over a
// network: the kernel has the local ones in the same place.
func (t Devices) overFabrics(at string) bool {
	_, rest, _ := strings.Cut(at, "/nvme-subsystem/")
	subsystem, _, _ := strings.Cut(rest, "/")
	ways, _ := t.Glob("/sys/class/nvme-subsystem/" + subsystem + "/nvme*")
	for _, way := range ways {
		raw, err := t.ReadLinked(way+"/transport", mostOfSys)
		if transport := strings.TrimSpace(string(raw)); err == nil && slices.Contains([]string{"tcp", "rdma", "fc"}, transport) {
			return true
		}
	}
	return false
}

// same reports whether a device is there that is the noted one.
func (t Devices) same(d device) bool {
	if d.Number == "" { // of a pool the module of ZFS tells; of another nothing does
		is, err := t.Exists("/proc/spl/kstat/zfs/" + d.Name)
		return d.Kind != poolOfZFS || is || err != nil
	}
	at, err := t.Readlink("/sys/dev/block/" + d.Number)
	if err != nil || "/dev/"+filepath.Base(at) != d.Name || t.said(d.Number, "diskseq") != d.Sequence {
		return false
	}
	return d.Backing == "" || t.said(d.Number, "loop/backing_file") != "" // of a loop device without a file nothing is kept
}
