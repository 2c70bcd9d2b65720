// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kernelFloor is kubeadm's own: 5.4, 5.10, 5.15, and 6 or newer
// (k8s.io/system-validators v1.12.1).
func kernelFloor(f Facts, _ Wanted) []Finding {
	major, minor, ok := numbers(f.Kernel.Release)
	if !ok || major >= 6 || major == 5 && slices.Contains([]int{4, 10, 15}, minor) {
		return nil
	}
	severity := Warns
	if major < 5 || major == 5 && minor < 4 {
		severity = Blocks
	}
	return []Finding{{Severity: severity, Text: fmt.Sprintf("the kernel is %s; kubeadm supports 5.4, 5.10, 5.15, and 6 or newer",
		f.Kernel.Release),
		WayOut: "install a newer kernel or distribution and boot it"}}
}

// cgroupVersion is the kubelet's: since v1.35 it does not start on version 1
// (failCgroupV1), and kubeadm refuses it by a check of its own
// (kubernetes/system-validators#58).
func cgroupVersion(f Facts, w Wanted) []Finding {
	switch f.Kernel.Cgroup {
	case 0:
		return []Finding{{Severity: Blocks, Text: "no cgroup file system is mounted below /sys/fs/cgroup",
			WayOut: "boot a distribution with systemd, or mount cgroup2 there"}}
	case 2:
		return nil
	}
	const check = "SystemVerification"
	_, minor, ok := numbers(strings.TrimPrefix(w.Kubernetes, "v"))
	severity := Warns
	if ok && minor >= 35 {
		severity = Blocks
	}
	switch {
	case w.CgroupV1Allowed && (severity == Warns || w.ignores(check)):
		return nil
	case w.CgroupV1Allowed:
		return []Finding{{Severity: Warns,
			Text:   "the host uses cgroup version 1; the cluster's kubelets are told to live with it, and kubeadm refuses it",
			WayOut: "join with --ignore-preflight-errors " + check + ", or boot with the kernel argument systemd.unified_cgroup_hierarchy=1"}}
	}
	return []Finding{{Severity: severity, Text: "the host uses cgroup version 1; a kubelet of v1.35 or newer does not start on it",
		WayOut: "boot with the kernel argument systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false in the cluster's kubelet-config " +
			"and join with --ignore-preflight-errors " + check}}
}

func systemdRuns(f Facts, _ Wanted) []Finding {
	if f.OS.Systemd {
		return nil
	}
	return []Finding{{Severity: Blocks, Text: "the host is not run by systemd",
		WayOut: "kubeadm's kubelet is a systemd unit; use a distribution with systemd"}}
}

// clock judges the host's clock: certificates and tokens are valid from a moment on.
func clock(f Facts, _ Wanted) []Finding {
	if skew := f.Clock.SkewSeconds; skew != nil && (*skew > maxSkew || *skew < -maxSkew) {
		return []Finding{{Severity: Blocks,
			Text: fmt.Sprintf("the clock is %s the cluster's by %.0f s; certificates and tokens are not valid then",
				ahead(*skew), magnitude(*skew)), WayOut: "set the clock (chronyc makestep, or timedatectl set-time), and keep it synchronized"}}
	}
	if f.Clock.Synchronized != nil && *f.Clock.Synchronized {
		return nil
	}
	switch {
	case f.Clock.Service == "":
		return []Finding{{Severity: Warns, Text: "nothing keeps the clock: neither chrony nor systemd-timesyncd is installed",
			WayOut: "install chrony, and name a time server that the host can reach"}}
	case !f.Clock.Active:
		return []Finding{{Severity: Warns, Text: f.Clock.Service + " is installed and does not run; the clock is not kept",
			Changes: []Change{{Kind: EnableUnit, Name: f.Clock.Service}}}}
	case f.Clock.Synchronized == nil:
		return nil
	}
	return []Finding{{Severity: Warns, Text: "the clock is not synchronized yet, though " + f.Clock.Service + " runs",
		WayOut: "can the host reach its time servers? See: chronyc sources, or timedatectl timesync-status"}}
}

// maxSkew is how many seconds a clock may be off: what k0sctl allows, too.
const maxSkew = 30

func ahead(skew float64) string {
	if skew > 0 {
		return "ahead of"
	}
	return "behind"
}

func magnitude(x float64) float64 { return max(x, -x) }

// timeZone is set on request alone.
func timeZone(f Facts, w Wanted) []Finding {
	if w.TimeZone == "" || w.TimeZone == f.OS.TimeZone {
		return nil
	}
	return []Finding{{Severity: Notes, Text: fmt.Sprintf("the time zone is %q, asked for is %q", f.OS.TimeZone, w.TimeZone),
		Changes: []Change{{Kind: SetTimeZone, Name: w.TimeZone}}}}
}

// numbers are the first two of a version: "5.10.0-30-amd64" → 5, 10.
func numbers(version string) (major, minor int, ok bool) {
	parts := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 2 {
		return 0, 0, false
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	return major, minor, errMajor == nil && errMinor == nil
}
