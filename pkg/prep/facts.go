// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// Facts is a host as it was read. What could not be read is named in Unread by the
// name of its part, and no check speaks of it.
type Facts struct {
	OS     OS     `json:"os"`
	Kernel Kernel `json:"kernel"`
	// Identity is the host's own; Node is its name.
	Identity Identity `json:"identity"`
	// Resolves are the addresses that the host's own name has on the host.
	Resolves []string `json:"resolves,omitempty"`
	// HostsFile is /etc/hosts.
	HostsFile File `json:"hostsFile"`
	// Addresses are those of the host's links, without loopback and link-local.
	Addresses []string `json:"addresses,omitempty"`
	// Links are the host's links with the networks that they are in.
	Links []Link `json:"links,omitempty"`

	Swap    Swap    `json:"swap"`
	Modules Modules `json:"modules"`
	Sysctls Sysctls `json:"sysctls"`
	Runtime Runtime `json:"runtime"`
	CNI     CNI     `json:"cni"`
	Guard   Guard   `json:"guard"`
	Clock   Clock   `json:"clock"`
	// Programs maps kubeadm, kubelet, kubectl and the tools that kubelets call to their
	// versions; "" is a program that is there and has no version, none is not there.
	Programs map[string]string `json:"programs,omitempty"`
	// Held are the packages that are not upgraded with the others; Packages is the tool
	// that holds them: "apt", "dnf" or "zypper".
	Held     []string `json:"held,omitempty"`
	Packages string   `json:"packages,omitempty"`
	// Listening are the TCP ports that are taken, with the program.
	Listening map[int]string `json:"listening,omitempty"`
	Disks     []Disk         `json:"disks,omitempty"`
	// Resolver is the file of name servers that pods would get.
	Resolver Resolver `json:"resolver"`
	// Traces are files and directories that show that the host is or was a node.
	Traces []string `json:"traces,omitempty"`
	// Manifests are the files in the directory of static pods that are not kubeadm's: they
	// show nothing of a cluster.
	Manifests []string `json:"manifests,omitempty"`
	// EtcdData is what is in the directory of etcd's data that a control plane would have.
	EtcdData []string `json:"etcdData,omitempty"`
	// Leftovers are what a cluster or its network has left that the host is a node of no
	// more, and LeftLinks the network links among them.
	Leftovers []string `json:"leftovers,omitempty"`
	LeftLinks []string `json:"leftLinks,omitempty"`
	// Install is what would be installed, where that is asked for and something is lacking.
	Install *packages.Plan `json:"-"`
	// Unread is what could not be read: part → reason.
	Unread map[string]string `json:"unread,omitempty"`
}

// MayBeNode reports whether the host is a node, or was one, or may be: what changes under a
// kubelet that runs (the cgroup driver, forwarding, swap) takes its pods with it.
func (f Facts) MayBeNode() bool { return len(f.Traces) > 0 || f.Unread["traces"] != "" }

// comes reports whether a program comes with what would be installed.
func (f Facts) comes(program string) bool {
	return f.Install != nil && slices.Contains(f.Install.Brings, program)
}

// Link is a network link with an address and its network ("172.17.0.1/16").
type Link struct {
	Name string `json:"name"`
	Net  string `json:"net"`
}

// File is a file as it was read.
type File struct {
	Path    string `json:"path"`
	Content string `json:"content,omitempty"`
	There   bool   `json:"there,omitempty"`
	Mode    uint32 `json:"mode,omitempty"`
}

// OS is the distribution.
type OS struct {
	Name    string `json:"name,omitempty"`
	Systemd bool   `json:"systemd,omitempty"`
	// TimeZone is "Europe/Berlin", or empty.
	TimeZone string `json:"timeZone,omitempty"`
}

// Kernel is what runs.
type Kernel struct {
	Release string `json:"release"`
	// Cgroup is 1 or 2; 0 where none is mounted.
	Cgroup int `json:"cgroup"`
	// NoCgroup are those of the wanted cgroups that are not there.
	NoCgroup []string `json:"noCgroup,omitempty"`
}

// Swap is what is in use now, and what would be after a boot.
type Swap struct {
	// On are the devices in use.
	On []string `json:"on,omitempty"`
	// FSTab is /etc/fstab.
	FSTab File `json:"fstab"`
	// Units are swap units of systemd's that are not from fstab and not masked.
	Units []SwapUnit `json:"units,omitempty"`
	// ZRAM is the configuration of zram-generator, if it makes a device.
	ZRAM File `json:"zram"`
	// Resume is the device that the initramfs resumes from, if one is named.
	Resume string `json:"resume,omitempty"`
}

// SwapUnit is a unit that turns swap on.
type SwapUnit struct {
	Name string `json:"name"`
	// Local says that its file is in /etc: it cannot be masked there, only disabled.
	Local bool `json:"local,omitempty"`
}

// Modules are kernel modules by the names that the kernel uses ("br_netfilter").
type Modules struct {
	// Loaded holds those that are there now, built in or loaded.
	Loaded []string `json:"loaded,omitempty"`
	// Missing are those that this kernel has no file of.
	Missing []string `json:"missing,omitempty"`
	// AtBoot are those that systemd loads at boot.
	AtBoot []string `json:"atBoot,omitempty"`
	// File is ModulesFile as it is.
	File File `json:"file"`
}

// Sysctls are kernel settings.
type Sysctls struct {
	// Now are the values in effect; one that the kernel does not have is not there.
	Now map[string]string `json:"now,omitempty"`
	// AtBoot are the settings of files, in the order in which "sysctl --system" applies
	// them: the last one of a key counts.
	AtBoot []Setting `json:"atBoot,omitempty"`
	// File is SysctlFile as it is.
	File File `json:"file"`
}

// Setting is one line of a file below /etc/sysctl.d and the like.
type Setting struct {
	File  string `json:"file"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Runtime is the container runtime.
type Runtime struct {
	// Program is "containerd" or "crio"; empty if neither is installed. Version is its own.
	Program string `json:"program,omitempty"`
	Version string `json:"version,omitempty"`
	Socket  string `json:"socket,omitempty"`
	// Sockets are all at which a program answers where kubeadm looks for one; Chosen is the
	// one that is to be used, by a person or by the kubelet's own flags, or empty.
	Sockets []string `json:"sockets,omitempty"`
	Chosen  string   `json:"chosen,omitempty"`
	// Active is the unit's state.
	Active string `json:"active,omitempty"`
	// Answers says that the CRI answers on the socket; Error is why not.
	Answers bool   `json:"answers,omitempty"`
	Error   string `json:"error,omitempty"`
	// Config is containerd's configuration file.
	Config File `json:"config"`
	// Effective is what containerd says it uses; nil if it does not say.
	Effective *Effective `json:"effective,omitempty"`
	// Docker says that Docker runs on the same containerd.
	Docker bool `json:"docker,omitempty"`
}

// Effective are containerd's settings, after imports and defaults.
type Effective struct {
	// Format is the version of the configuration's form: 2, 3, 4.
	Format   int64    `json:"format"`
	Disabled []string `json:"disabled,omitempty"`
	// CgroupDriver is "systemd" or "cgroupfs".
	CgroupDriver string `json:"cgroupDriver,omitempty"`
	SandboxImage string `json:"sandboxImage,omitempty"`
	// Registries is the directory of registries' settings (config_path).
	Registries string `json:"registries,omitempty"`
	// Inline says that settings of registries stand in the configuration itself:
	// containerd does not start its CRI where there are both.
	Inline bool `json:"inline,omitempty"`
}

// CNI is what networks use on a host.
type CNI struct {
	// Bin is /opt/cni/bin.
	Bin Dir `json:"bin"`
	// Configs are the network configurations in /etc/cni/net.d.
	Configs []string `json:"configs,omitempty"`
	// Plugins are the programs in /opt/cni/bin.
	Plugins []string `json:"plugins,omitempty"`
}

// Dir is a directory.
type Dir struct {
	Path   string `json:"path"`
	There  bool   `json:"there,omitempty"`
	UID    int    `json:"uid,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	NoExec bool   `json:"noExec,omitempty"`
}

// Guard is what may stand in the way of packets and programs.
type Guard struct {
	// SELinux is "enforcing", "permissive", "disabled", or empty where there is none.
	SELinux string `json:"selinux,omitempty"`
	// ContainerSELinux says that the policy for containers is installed.
	ContainerSELinux bool `json:"containerSELinux,omitempty"`
	// Firewall is "firewalld" or "ufw", if one is active. Open are its open ports
	// ("6443/tcp", "30000-32767/tcp").
	Firewall string   `json:"firewall,omitempty"`
	Open     []string `json:"open,omitempty"`
	// Closed are the ports that a rule of the firewall's denies or limits ("10250/tcp").
	Closed []string `json:"closed,omitempty"`
}

// Resolver is a file of name servers (resolv.conf(5)).
type Resolver struct {
	Path    string   `json:"path,omitempty"`
	There   bool     `json:"there,omitempty"`
	Servers []string `json:"servers,omitempty"`
}

// Clock is the host's.
type Clock struct {
	// Synchronized is what systemd-timedated says; nil if it does not.
	Synchronized *bool `json:"synchronized,omitempty"`
	// Service is the unit that keeps the time, if one is installed; Active its state.
	Service string `json:"service,omitempty"`
	Active  bool   `json:"active,omitempty"`
	// SkewSeconds is how far the host is ahead of the one that asks; nil if it was not
	// compared.
	SkewSeconds *float64 `json:"skewSeconds,omitempty"`
}

// Disk is the file system of a directory.
type Disk struct {
	Path string `json:"path"`
	// Free and FreeInodes are bytes and inodes that are left.
	Free       uint64 `json:"free"`
	FreeInodes uint64 `json:"freeInodes"`
	// Inodes is 0 where a file system has no fixed number of them.
	Inodes uint64 `json:"inodes"`
}
