// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// prepared are the facts of a host that lacks nothing.
func prepared() Facts {
	yes := true
	f := Facts{
		OS: OS{Systemd: true}, Kernel: Kernel{Release: "6.1.0-30-amd64", Cgroup: 2},
		Identity: Identity{Node: "w1", MachineID: "own"}, Resolves: []string{"127.0.1.1"}, Addresses: []string{"10.0.0.7"},
		HostsFile: File{Path: "/etc/hosts", There: true, Content: "127.0.1.1 w1\n"},
		Swap:      Swap{FSTab: File{Path: "/etc/fstab", There: true, Content: "/dev/sda1 / ext4 defaults 0 1\n"}},
		Modules: Modules{Loaded: []string{"overlay", "br_netfilter", "nf_conntrack"},
			AtBoot: []string{"overlay", "br_netfilter", "nf_conntrack"}},
		Sysctls: Sysctls{Now: map[string]string{}},
		Runtime: Runtime{Program: "containerd", Active: "active", Answers: true, Socket: "/run/containerd/containerd.sock",
			Config:    File{Path: containerdConfig, There: true, Content: "version = 2\n"},
			Effective: &Effective{Format: 2, CgroupDriver: "systemd", SandboxImage: "r.example/pause:3.10", Registries: certsDir}},
		CNI:      CNI{Bin: Dir{Path: "/opt/cni/bin", There: true, Mode: 0o755}},
		Clock:    Clock{Synchronized: &yes, Service: "chronyd.service", Active: true},
		Programs: map[string]string{"kubeadm": "v1.36.3", "kubelet": "v1.36.3", "kubectl": "v1.36.3"},
		Held:     []string{"kubeadm", "kubectl", "kubelet"}, Packages: "apt",
		Disks: []Disk{{Path: "/", Free: 100 << 30, Inodes: 1000, FreeInodes: 900}},
	}
	for _, tool := range ToolsWanted() {
		f.Programs[tool] = ""
	}
	for _, s := range SysctlsWanted(Wanted{}) {
		f.Sysctls.Now[s.Key] = s.Value
		f.Sysctls.AtBoot = append(f.Sysctls.AtBoot, Setting{SysctlFile, s.Key, s.Value})
	}
	return f
}

func TestAHostThatLacksNothingHasNoFinding(t *testing.T) {
	r := Decide(prepared(), Wanted{Kubernetes: "v1.36.3", SandboxImage: "r.example/pause:3.10"})
	if len(r.Findings) != 0 || len(r.Checked) != len(IDs()) || r.Blocked() {
		t.Errorf("findings %+v, %d of %d checked", r.Findings, len(r.Checked), len(IDs()))
	}
}

func TestEachLackIsFoundAndSaysWhatMendsIt(t *testing.T) {
	no := false
	skew := 90.0
	for name, c := range map[string]struct {
		change func(f *Facts, w *Wanted)
		id     string
		blocks bool
		says   string // in the text, a change or the way out
	}{
		"CentOS 7's kernel": {func(f *Facts, _ *Wanted) { f.Kernel.Release = "3.10.0-1160.el7.x86_64" },
			"PREP001-kernel", true, "3.10"},
		"a kernel between the long-term ones": {func(f *Facts, _ *Wanted) { f.Kernel.Release = "5.8.0" }, "PREP001-kernel", false, "5.10"},
		"cgroup v1 and a kubelet that still takes it": {func(f *Facts, w *Wanted) {
			f.Kernel.Cgroup, w.Kubernetes = 1,
				"v1.34.1"
			f.Programs = nil
		},
			"PREP002-cgroup", false, "v1.35"},
		"cgroup v1 and a kubelet that does not start": {func(f *Facts, w *Wanted) { f.Kernel.Cgroup, w.Kubernetes = 1, "v1.36.0" },
			"PREP002-cgroup", true, "unified_cgroup_hierarchy"},
		"no systemd": {func(f *Facts, _ *Wanted) { f.OS.Systemd = false }, "PREP003-systemd", true, "systemd"},
		"swap is on": {func(f *Facts, _ *Wanted) { f.Swap.On = []string{"/dev/sda2"} }, "PREP010-swap", true, "turn swap off: /dev/sda2"},
		"swap in fstab": {func(f *Facts, _ *Wanted) { f.Swap.FSTab.Content += "UUID=1 none swap sw 0 0\n" }, "PREP011-swap-at-boot", true,
			"+ # UUID=1 none swap sw 0 0"},
		"a swap unit of the distribution": {func(f *Facts, _ *Wanted) { f.Swap.Units = []SwapUnit{{Name: "dev-sdb.swap"}} },
			"PREP011-swap-at-boot", true, "mask the unit dev-sdb.swap"},
		"a swap unit in /etc, which cannot be masked": {func(f *Facts, _ *Wanted) { f.Swap.Units = []SwapUnit{{"dev-loop0.swap", true}} },
			"PREP011-swap-at-boot", true, "stop the unit dev-loop0.swap"},
		"zram-generator": {func(f *Facts, _ *Wanted) {
			f.Swap.ZRAM = File{Path: "/usr/lib/systemd/zram-generator.conf", There: true, Content: "[zram0]\n"}
		}, "PREP011-swap-at-boot", true, "write /etc/systemd/zram-generator.conf"},
		"an initramfs that resumes from swap": {func(f *Facts, _ *Wanted) { f.Swap.Resume = "/dev/sda2" }, "PREP011-swap-at-boot", false,
			"initramfs-tools"},
		"br_netfilter is not loaded": {func(f *Facts, _ *Wanted) { f.Modules.Loaded = []string{"overlay", "nf_conntrack"} },
			"PREP020-modules", true,
			"load the kernel module br_netfilter"},
		"a kernel without the module": {func(f *Facts, _ *Wanted) {
			f.Modules.Loaded, f.Modules.Missing = []string{"overlay", "nf_conntrack"}, []string{"br_netfilter"}
		}, "PREP020-modules", true, "kernel-modules-extra"},
		"modules of IPVS where kube-proxy runs with it": {func(_ *Facts, w *Wanted) { w.ProxyMode = "ipvs" }, "PREP020-modules",
			true, "ip_vs_rr"},
		"modules are not loaded at boot": {func(f *Facts, _ *Wanted) { f.Modules.AtBoot = nil }, "PREP021-modules-at-boot",
			false, ModulesFile},
		"forwarding is off": {func(f *Facts, _ *Wanted) { f.Sysctls.Now["net.ipv4.ip_forward"] = "0" },
			"PREP030-sysctl", true, "ip_forward = 1"},
		"too few inotify instances": {func(f *Facts, _ *Wanted) { f.Sysctls.Now["fs.inotify.max_user_instances"] = "128" },
			"PREP030-sysctl", false,
			"8192"},
		"a later file turns forwarding off at boot": {func(f *Facts, _ *Wanted) {
			f.Sysctls.AtBoot = append(f.Sysctls.AtBoot, Setting{"/etc/sysctl.d/99-zzz.conf", "net.ipv4.ip_forward", "0"})
		}, "PREP031-sysctl-at-boot", false, "take the line out of /etc/sysctl.d/99-zzz.conf"},
		"an earlier file turns forwarding off at boot": {func(f *Facts, _ *Wanted) {
			f.Sysctls.AtBoot = []Setting{{"/etc/sysctl.d/10-router.conf", "net.ipv4.ip_forward", "0"}}
		}, "PREP031-sysctl-at-boot", false, "write " + SysctlFile},
		"no container runtime": {func(f *Facts, _ *Wanted) { f.Runtime = Runtime{} }, "PREP040-runtime", true, "install containerd"},
		"containerd does not run": {func(f *Facts, _ *Wanted) { f.Runtime.Active, f.Runtime.Answers = "inactive", false }, "PREP040-runtime",
			true, "start the unit"},
		"Docker's containerd, without its CRI": {func(f *Facts, _ *Wanted) {
			f.Runtime.Answers, f.Runtime.Docker, f.Runtime.Effective.Disabled = false, true, []string{"cri"}
			f.Runtime.Config.Content = "disabled_plugins = [\"cri\"]\nversion = 2\n"
		}, "PREP041-cri", true, "Docker runs on the same containerd"},
		"the CRI is turned off by its long name": {func(f *Facts, _ *Wanted) {
			f.Runtime.Answers, f.Runtime.Effective.Disabled = false, []string{"io.containerd.grpc.v1.cri"}
			f.Runtime.Config.Content = "version = 2\ndisabled_plugins = [\n  \"io.containerd.grpc.v1.cri\", # off\n  \"aufs\",\n]\n"
		}, "PREP041-cri", true, `+ disabled_plugins = ["aufs"]`},
		"a CRI that does not answer for another reason": {func(f *Facts, _ *Wanted) { f.Runtime.Answers, f.Runtime.Error = false, "refused" },
			"PREP041-cri", true, "journalctl -u containerd"},
		"two cgroup drivers": {func(f *Facts, _ *Wanted) { f.Runtime.Effective.CgroupDriver = "cgroupfs" }, "PREP042-cgroup-driver", true,
			"+ SystemdCgroup = true"},
		"CRI-O's cgroup driver": {func(f *Facts, _ *Wanted) {
			f.Runtime.Program, f.Runtime.Effective.CgroupDriver = "crio", "cgroupfs"
		}, "PREP042-cgroup-driver", true, "cgroup_manager"},
		"a sandbox image of another registry": {func(_ *Facts, w *Wanted) { w.SandboxImage = "mirror.example/pause:3.10" },
			"PREP043-sandbox-image", false,
			`+ sandbox_image = "mirror.example/pause:3.10"`},
		"no settings of registries": {func(f *Facts, _ *Wanted) { f.Runtime.Effective.Registries = "" }, "PREP044-registries",
			false, "config_path"},
		"/opt/cni/bin of another user": {func(f *Facts, _ *Wanted) { f.CNI.Bin.UID = 997 }, "PREP050-cni-bin", false,
			"give /opt/cni/bin to root"},
		"/opt/cni/bin on noexec": {func(f *Facts, _ *Wanted) { f.CNI.Bin.NoExec = true }, "PREP050-cni-bin", true, "noexec"},
		"an earlier network's file": {func(f *Facts, _ *Wanted) { f.CNI.Configs = []string{"/etc/cni/net.d/05-x.conflist"} },
			"PREP051-cni-configs", false,
			"05-x"},
		"SELinux without the containers' policy": {func(f *Facts, _ *Wanted) { f.Guard.SELinux = "enforcing" }, "PREP060-selinux", false,
			"container-selinux"},
		"a firewall that is closed": {func(f *Facts, w *Wanted) { f.Guard.Firewall, w.Network = "firewalld", "flannel" },
			"PREP061-firewall", false,
			"open 8472/udp in firewalld"},
		"a clock that is wrong":   {func(f *Facts, _ *Wanted) { f.Clock.SkewSeconds = &skew }, "PREP070-clock", true, "ahead of"},
		"nothing keeps the clock": {func(f *Facts, _ *Wanted) { f.Clock = Clock{Synchronized: &no} }, "PREP070-clock", false, "install chrony"},
		"chrony does not run": {func(f *Facts, _ *Wanted) { f.Clock = Clock{Service: "chronyd.service"} }, "PREP070-clock", false,
			"start the unit chronyd.service"},
		"a time zone on request": {func(_ *Facts, w *Wanted) { w.TimeZone = "Asia/Shanghai" }, "PREP071-time-zone", false, "Asia/Shanghai"},
		"a name with a capital":  {func(f *Facts, _ *Wanted) { f.Identity.Node = "My_Host" }, "PREP080-hostname", true, "lower case"},
		"localhost": {func(f *Facts, _ *Wanted) { f.Identity.Node = "localhost.localdomain" }, "PREP080-hostname",
			true, "every host"},
		"a name on request":      {func(_ *Facts, w *Wanted) { w.Hostname = "w2" }, "PREP080-hostname", false, "name the host w2"},
		"a bad name on request":  {func(_ *Facts, w *Wanted) { w.Hostname = "-w2" }, "PREP080-hostname", true, "choose another"},
		"a name without address": {func(f *Facts, _ *Wanted) { f.Resolves = nil }, "PREP081-name-resolves", false, "+ 10.0.0.7 w1"},
		"a clone of a node": {func(_ *Facts, w *Wanted) { w.Nodes = []Identity{{Node: "w9", MachineID: "own"}} }, "PREP082-twin", false,
			"systemd-machine-id-setup"},
		"another machine of the same name": {func(_ *Facts, w *Wanted) { w.Nodes = []Identity{{Node: "w1", MachineID: "other"}} },
			"PREP082-twin", true,
			"another machine"},
		"the kubelet's port is taken": {func(f *Facts, _ *Wanted) { f.Listening = map[int]string{10250: "k3s"} }, "PREP090-ports", true, "k3s"},
		"etcd's port on a control plane": {func(f *Facts, w *Wanted) { f.Listening, w.Role = map[int]string{2379: "etcd"}, ControlPlane },
			"PREP090-ports", true, "2379"},
		"a full disk": {func(f *Facts, _ *Wanted) { f.Disks[0].Free = 1 << 30 }, "PREP091-disk", false, "1.0 GiB"},
		"no inodes":   {func(f *Facts, _ *Wanted) { f.Disks[0].FreeInodes = 10 }, "PREP091-disk", false, "inodes"},
		"an earlier cluster": {func(f *Facts, _ *Wanted) { f.Traces = []string{"/etc/kubernetes/kubelet.conf"} },
			"PREP092-earlier-cluster", true, "remove"},
		"what an earlier network has left": {func(f *Facts, _ *Wanted) {
			f.Leftovers, f.LeftLinks = []string{"link cni0", "directory /run/flannel"}, []string{"cni0"}
		}, "PREP093-leftovers", true, "lifecycle-node clean --yes"},
		"what an earlier cluster has left, without a link": {func(f *Facts, _ *Wanted) {
			f.Leftovers = []string{"chain KUBE-SERVICES (nft ip nat)", "a", "b", "c", "d", "e", "f", "g", "h", "i"}
		}, "PREP093-leftovers", false, "and 2 more"},
		"a manifest, and no sign of a cluster": {func(f *Facts, _ *Wanted) { f.Manifests = []string{"nginx-proxy.yml"} },
			"PREP094-manifests", true, "--ignore-preflight-errors DirAvailable--etc-kubernetes-manifests"},
		"one that kubeadm is told to ignore": {func(f *Facts, w *Wanted) {
			f.Manifests, w.Ignored = []string{"nginx-proxy.yml"}, []string{"diravailable--etc-kubernetes-manifests"}
		}, "PREP094-manifests", false, "kubeadm is told to ignore it"},
		"a resolver's file that this host does not have": {func(f *Facts, _ *Wanted) {
			f.Resolver = Resolver{Path: "/run/systemd/resolve/resolv.conf"}
		}, "PREP083-resolv-conf", true, "KUBELET_EXTRA_ARGS"},
		"pods that would ask themselves": {func(f *Facts, _ *Wanted) {
			f.Resolver = Resolver{Path: "/etc/resolv.conf", There: true, Servers: []string{"127.0.0.53", "::1"}}
		}, "PREP083-resolv-conf", false, "127.0.0.53"},
		"cgroup v1 that only the kubelet is told to live with": {func(f *Facts, w *Wanted) { f.Kernel.Cgroup, w.CgroupV1Allowed = 1, true },
			"PREP002-cgroup", false, "--ignore-preflight-errors SystemVerification"},
		"no kubelet":                  {func(f *Facts, _ *Wanted) { delete(f.Programs, "kubelet") }, "PREP100-programs", true, "pkgs.k8s.io"},
		"no losetup":                  {func(f *Facts, _ *Wanted) { delete(f.Programs, "losetup") }, "PREP100-programs", true, "util-linux"},
		"no conntrack":                {func(f *Facts, _ *Wanted) { delete(f.Programs, "conntrack") }, "PREP100-programs", false, "conntrack"},
		"a newer kubelet":             {func(f *Facts, _ *Wanted) { f.Programs["kubelet"] = "v1.37.0" }, "PREP101-skew", true, "not newer"},
		"a kubelet four minors older": {func(f *Facts, _ *Wanted) { f.Programs["kubelet"] = "v1.32.0" }, "PREP101-skew", true, "3 minor"},
		"not held": {func(f *Facts, _ *Wanted) { f.Held = []string{"kubelet"} }, "PREP102-holds", false,
			"apt-mark hold kubeadm kubectl"},
	} {
		t.Run(name, func(t *testing.T) {
			f, w := prepared(), Wanted{Kubernetes: "v1.36.3", SandboxImage: "r.example/pause:3.10"}
			c.change(&f, &w)
			r := Decide(f, w)
			i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == c.id })
			if i < 0 {
				t.Fatalf("not found; %+v", r.Findings)
			}
			all := ""
			blocks := false
			for _, f := range r.Findings {
				if f.ID == c.id {
					all += f.Text + "\n" + f.WayOut + "\n"
					blocks = blocks || f.Severity == Blocks
					for _, change := range f.Changes {
						all += change.String() + "\n"
					}
				}
				if len(f.Changes) == 0 && f.WayOut == "" {
					t.Errorf("%s says no way out: %s", f.ID, f.Text)
				}
			}
			if blocks != c.blocks || !strings.Contains(all, c.says) {
				t.Errorf("blocks %v, says %q", blocks, all)
			}
		})
	}
}

func TestWhatIsNoLack(t *testing.T) {
	for name, change := range map[string]func(f *Facts, w *Wanted){
		"cgroup v1, with which all are told to live": func(f *Facts, w *Wanted) {
			f.Kernel.Cgroup, w.CgroupV1Allowed, w.Ignored = 1, true, []string{"SystemVerification"}
		},
		"all checks are ignored": func(f *Facts, w *Wanted) { f.Kernel.Cgroup, w.CgroupV1Allowed, w.Ignored = 1, true, []string{"all"} },
		"a node's own things, on a node": func(f *Facts, w *Wanted) {
			f.Leftovers, f.LeftLinks, f.Manifests, w.Joined = []string{"link cni0"}, []string{"cni0"}, []string{"x.yaml"}, true
		},
		"a resolver beside the loopback": func(f *Facts, _ *Wanted) {
			f.Resolver = Resolver{Path: "/etc/resolv.conf", There: true, Servers: []string{"127.0.0.1", "192.0.2.53"}}
		},
		"a host without name servers": func(f *Facts, _ *Wanted) { f.Resolver = Resolver{Path: "/etc/resolv.conf", There: true} },
		"leftovers beside an earlier cluster's, which one finding names": func(f *Facts, _ *Wanted) {
			f.Traces, f.Leftovers = []string{"/etc/kubernetes/kubelet.conf"}, []string{"link cni0"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, w := prepared(), Wanted{Kubernetes: "v1.36.3", SandboxImage: "r.example/pause:3.10"}
			change(&f, &w)
			for _, found := range Decide(f, w).Findings {
				if found.ID != "PREP092-earlier-cluster" {
					t.Errorf("%+v", found)
				}
			}
		})
	}
	manifest := Facts{Manifests: []string{"nginx-proxy.yml"}}
	if manifest.MayBeNode() {
		t.Error("a manifest alone makes a node")
	}
}

func TestWhatWasNotReadIsNotJudged(t *testing.T) {
	f := prepared()
	f.Swap.On, f.Unread = []string{"/dev/sda2"}, map[string]string{"swap": "permission denied"}
	r := Decide(f, Wanted{})
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.HasPrefix(f.ID, "PREP01") }) ||
		!slices.Contains(r.Unread, "PREP010-swap: permission denied") || slices.Contains(r.Checked, "PREP010-swap") {
		t.Errorf("%+v", r)
	}
}

func TestWhatTheClusterAllowsIsNoFinding(t *testing.T) {
	f := prepared()
	f.Kernel.Cgroup, f.Swap.On, f.Swap.FSTab.Content = 1, []string{"/dev/sda2"}, "UUID=1 none swap sw 0 0\n"
	w := Wanted{Kubernetes: "v1.36.3", CgroupV1Allowed: true, SwapAllowed: true, Ignored: []string{"SystemVerification"}}
	if r := Decide(f, w); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestIdentifiersAreStableAndOrdered(t *testing.T) {
	form := regexp.MustCompile(`^PREP\d{3}-[a-z]+(-[a-z]+)*$`)
	ids := IDs()
	for i, id := range ids {
		if !form.MatchString(id) || i > 0 && ids[i-1] >= id {
			t.Errorf("%s", id)
		}
	}
}

// TestANodeIsJudgedAsOne: what every node has is no trace of another cluster.
func TestANodeIsJudgedAsOne(t *testing.T) {
	f := prepared()
	f.Traces, f.Listening, f.CNI.Configs = []string{"/etc/kubernetes/kubelet.conf"}, map[int]string{10250: "kubelet"},
		[]string{"/etc/cni/net.d/10-flannel.conflist"}
	w := Wanted{Joined: true, Nodes: []Identity{{Node: "w1", MachineID: "own"}}}
	if r := Decide(f, w); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestAFileThatIsChangedTwiceIsWrittenOnceAndBeforeTheRestart(t *testing.T) {
	f := prepared()
	f.Runtime.Effective.CgroupDriver, f.Runtime.Effective.Registries = "cgroupfs", ""
	changes := Decide(f, Wanted{SandboxImage: "mirror.example/pause:3.10"}).Changes()
	if len(changes) != 2 || changes[0].Path != containerdConfig || changes[1].Kind != RestartUnit {
		t.Errorf("%v", changes)
	}
}
