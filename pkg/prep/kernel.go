// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	slashed "path"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The files that are written. Their numbers put them last, so that what a distribution or
// another tool has written before does not win. Where one is there, lines are added to it.
const (
	ModulesFile = "/etc/modules-load.d/99-kubernetes.conf"
	SysctlFile  = "/etc/sysctl.d/99-zz-kubernetes.conf"
)

// ModulesWanted are the modules that a host needs. kubeadm has not looked for
// br_netfilter since v1.30 (kubeadm#2607); flannel fails without it (flannel#2068).
func ModulesWanted(w Wanted) []string {
	all := []string{"overlay", "br_netfilter", "nf_conntrack"}
	if w.ProxyMode == "ipvs" {
		all = append(all, "ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh")
	}
	if w.ProxyMode == "nftables" {
		all = append(all, "nf_tables")
	}
	return all
}

func modulesNow(f Facts, w Wanted) (all []Finding) {
	for _, name := range ModulesWanted(w) {
		switch {
		case slices.Contains(f.Modules.Loaded, name):
		case slices.Contains(f.Modules.Missing, name):
			all = append(all, Finding{Severity: Blocks, Text: "this kernel has no module " + name,
				WayOut: "install the package with the kernel's modules (linux-modules-extra, kernel-modules-extra) and boot that kernel"})
		default:
			all = append(all, Finding{Severity: Blocks, Text: "the kernel module " + name + " is not loaded",
				Changes: []Change{{Kind: LoadModule, Name: name}}})
		}
	}
	return all
}

func modulesAtBoot(f Facts, w Wanted) []Finding {
	var lacking []string
	for _, name := range ModulesWanted(w) {
		if !slices.Contains(f.Modules.AtBoot, name) && !slices.Contains(f.Modules.Missing, name) {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return []Finding{{Severity: Warns, Text: "not loaded at boot: " + strings.Join(lacking, ", "),
		Changes: []Change{with(f.Modules.File, ModulesFile, ModulesWanted(w), lacking)}}}
}

// with is the change that gives a file all lines where there is none, and else adds those
// that it lacks: what a person, or an earlier preparation, has written stays.
func with(f File, path string, all, lacking []string) Change {
	f.Path = path
	if !f.There {
		return edit(f, "# For Kubernetes.\n"+strings.Join(all, "\n")+"\n")
	}
	before := f.Content
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return edit(f, before+strings.Join(lacking, "\n")+"\n")
}

// SysctlWanted is a kernel setting that a host needs: exactly Value, or at least that
// where Least is true.
type SysctlWanted struct {
	Key, Value string
	Least      bool
	Severity   Severity
	Why        string
}

// SysctlsWanted are all of them. IPv6 forwarding is asked for only where pods have
// IPv6: it changes how a host accepts router advertisements.
func SysctlsWanted(w Wanted) []SysctlWanted {
	all := []SysctlWanted{
		{"net.ipv4.ip_forward", "1", false, Blocks, "pods of other nodes are not reached without it"},
		{"net.bridge.bridge-nf-call-iptables", "1", false, Blocks, "Services are not reached from pods on a bridge without it"},
		{"net.bridge.bridge-nf-call-ip6tables", "1", false, Blocks, "Services are not reached from pods on a bridge without it"},
		{"fs.inotify.max_user_instances", "8192", true, Warns, "many pods that watch files use up the default"},
		{"fs.inotify.max_user_watches", "524288", true, Warns, "many pods that watch files use up the default"},
	}
	if w.IPv6 {
		all = append(all, SysctlWanted{"net.ipv6.conf.all.forwarding", "1", false, Blocks,
			"pods of other nodes are not reached over IPv6 without it"})
	}
	if w.ProtectKernelDefaults { // exactly these (setupKernelTunables, pkg/kubelet/cm/container_manager_linux.go, 1.36)
		for _, s := range [][2]string{{"vm.overcommit_memory", "1"}, {"vm.panic_on_oom", "0"}, {"kernel.panic", "10"},
			{"kernel.panic_on_oops", "1"}, {"kernel.keys.root_maxkeys", "1000000"}, {"kernel.keys.root_maxbytes", "25000000"}} {
			all = append(all, SysctlWanted{s[0], s[1], false, Blocks,
				"the cluster's kubelets do not start with another value (protectKernelDefaults)"})
		}
	}
	return all
}

// meets reports whether a value is what is wanted.
func (s SysctlWanted) meets(value string) bool {
	if !s.Least {
		return value == s.Value
	}
	have, err := strconv.ParseUint(value, 10, 64)
	want, _ := strconv.ParseUint(s.Value, 10, 64)
	return err == nil && have >= want
}

func sysctlsNow(f Facts, w Wanted) (all []Finding) {
	for _, s := range SysctlsWanted(w) {
		value, known := f.Sysctls.Now[s.Key]
		if known && s.meets(value) {
			continue
		}
		now := "is " + value
		if !known { // its module is not loaded yet
			now = "is not there yet"
		}
		all = append(all, Finding{Severity: s.Severity, Text: fmt.Sprintf("%s %s, and must be %s: %s", s.Key, now, s.asked(), s.Why),
			Changes: []Change{{Kind: SetSysctl, Name: s.Key, Content: s.Value}}})
	}
	return all
}

func (s SysctlWanted) asked() string {
	if s.Least {
		return s.Value + " or more"
	}
	return s.Value
}

// sysctlsAtBoot looks at what a boot would set: the last file that names a key wins, so
// a file after ours is named, and one of ours is written for what no file sets.
func sysctlsAtBoot(f Facts, w Wanted) (all []Finding) {
	last := map[string]Setting{}
	for _, s := range f.Sysctls.AtBoot {
		last[s.Key] = s
	}
	var lines, lacking, keys []string
	for _, s := range SysctlsWanted(w) {
		line := s.Key + " = " + s.Value
		lines = append(lines, line)
		set, known := last[s.Key]
		switch {
		case known && s.meets(set.Value):
		case known && set.File > SysctlFile && baseName(set.File) > baseName(SysctlFile):
			all = append(all, Finding{Severity: Warns,
				Text: fmt.Sprintf("%s sets %s = %s at boot, after every file of this program", set.File, s.Key,
					set.Value), WayOut: "take the line out of " + set.File})
		default:
			lacking, keys = append(lacking, line), append(keys, s.Key)
		}
	}
	if len(lacking) == 0 {
		return all
	}
	return append(all, Finding{Severity: Warns, Text: "not set at boot: " + strings.Join(keys, ", "),
		Changes: []Change{with(f.Sysctls.File, SysctlFile, lines, lacking)}})
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// CgroupPath is where the kubelet finds a cgroup of its configuration, below the hierarchy's
// root. With systemd's driver it is a slice, which lies in those that its name begins with.
func CgroupPath(name, driver string) string {
	name = slashed.Join("/", name)
	if driver == "cgroupfs" {
		return name
	}
	slice, at := strings.TrimSuffix(slashed.Base(name), ".slice"), "/"
	parts := strings.Split(slice, "-")
	for i := range parts {
		at = slashed.Join(at, strings.Join(parts[:i+1], "-")+".slice")
	}
	return at
}

// reservedCgroups: the kubelet limits what runs in them, and makes none
// (kubernetes/kubernetes#110288).
func reservedCgroups(f Facts, w Wanted) (all []Finding) {
	for _, name := range f.Kernel.NoCgroup {
		way := "make it before the kubelet starts: mkdir in each hierarchy below /sys/fs/cgroup, by a unit of your own"
		if w.CgroupDriver != "cgroupfs" {
			slice := slashed.Base(CgroupPath(name, w.CgroupDriver))
			way = "make it: " + text.Command("systemctl", "start", slice) + "; for good: a drop-in of the kubelet's unit with \"Wants=" + slice +
				"\" and \"After=" + slice + "\", or with \"Slice=" + slice + "\", so that the kubelet itself runs there"
		}
		all = append(all, Finding{Severity: Blocks, Text: "there is no cgroup " + name +
			", which the cluster's kubelets limit (kubeReservedCgroup, systemReservedCgroup): they do not start without it", WayOut: way})
	}
	return all
}
