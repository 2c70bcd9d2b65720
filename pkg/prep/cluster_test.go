// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"slices"
	"strings"
	"testing"
)

// TestWhatKubeadmOrTheKubeletWouldRefuseIsSaidBefore: each of these ends a join of a host that
// lacks nothing else, some of them after minutes.
func TestWhatKubeadmOrTheKubeletWouldRefuseIsSaidBefore(t *testing.T) {
	const containerdSocket, crioSocket = "/run/containerd/containerd.sock", "/run/crio/crio.sock"
	for name, c := range map[string]struct {
		change   func(f *Facts, w *Wanted)
		id       string
		severity Severity // empty if nothing is found
		says     string   // in the text, a change or the way out
	}{
		"one runtime answers": {func(f *Facts, _ *Wanted) { f.Runtime.Sockets = []string{crioSocket} }, "PREP045-cri-sockets", "", ""},
		"two runtimes answer": {func(f *Facts, _ *Wanted) { f.Runtime.Sockets = []string{containerdSocket, crioSocket} },
			"PREP045-cri-sockets", Blocks, "--cri-socket unix://" + containerdSocket},
		"two answer, and one is named": {func(f *Facts, _ *Wanted) {
			f.Runtime.Sockets, f.Runtime.Chosen = []string{containerdSocket, crioSocket}, crioSocket
		}, "PREP045-cri-sockets", Notes, crioSocket + " is used"},

		"kubelets that protect the kernel's settings": {func(f *Facts, w *Wanted) {
			w.ProtectKernelDefaults = true
			f.Sysctls.Now["vm.overcommit_memory"] = "0"
		}, "PREP030-sysctl", Blocks, "set sysctl vm.overcommit_memory = 1"},
		"kubelets that protect more than is wanted": {func(f *Facts, w *Wanted) {
			w.ProtectKernelDefaults = true
			for _, s := range SysctlsWanted(*w) {
				f.Sysctls.Now[s.Key] = s.Value
			}
			f.Sysctls.Now["kernel.panic"] = "20" // it must be that very value
		}, "PREP030-sysctl", Blocks, "kernel.panic is 20, and must be 10"},
		"kubelets that protect what is as they want it": {func(f *Facts, w *Wanted) {
			w.ProtectKernelDefaults = true
			for _, s := range SysctlsWanted(*w) {
				f.Sysctls.Now[s.Key] = s.Value
			}
		}, "PREP030-sysctl", "", ""},
		"a cgroup that is not there": {func(f *Facts, _ *Wanted) { f.Kernel.NoCgroup = []string{"/kube.slice"} },
			"PREP004-reserved-cgroups", Blocks, "systemctl start kube.slice"},
		"a cgroup that is not there, without systemd": {func(f *Facts, w *Wanted) {
			w.CgroupDriver, f.Kernel.NoCgroup = "cgroupfs", []string{"/kube"}
			f.Runtime.Effective.CgroupDriver = "cgroupfs"
		}, "PREP004-reserved-cgroups", Blocks, "mkdir in each"},

		"docker0 in the network of pods": {func(f *Facts, w *Wanted) {
			w.Pods, f.Links = []string{"10.244.0.0/16"}, []Link{{"eth0", "10.0.0.7/24"}, {"docker0", "10.244.0.1/16"}}
		}, "PREP084-networks", Blocks, "bip"},
		"a link in the network of Services": {func(f *Facts, w *Wanted) {
			w.Services, f.Links = []string{"10.96.0.0/12"}, []Link{{"br-1", "10.100.0.1/24"}}
		}, "PREP084-networks", Blocks, "the link br-1 is in 10.100.0.0/24"},
		"a network of the host's that is wider": {func(f *Facts, w *Wanted) {
			w.Pods, f.Links = []string{"10.244.0.0/16"}, []Link{{"eth0", "10.1.0.7/8"}}
		}, "PREP084-networks", Warns, "10.0.0.0/8"},
		"the second family": {func(f *Facts, w *Wanted) {
			w.Pods, f.Links = []string{"10.244.0.0/16", "fd00:10::/56"}, []Link{{"br-1", "fd00:10::1/64"}}
		}, "PREP084-networks", Blocks, "fd00:10::/56"},
		"a link of the network that is there already": {func(f *Facts, w *Wanted) {
			w.Joined, w.Pods, f.Links = true, []string{"10.244.0.0/16"}, []Link{{"cni0", "10.244.1.1/24"}}
		}, "PREP084-networks", "", ""},
		"a link that an earlier network has left": {func(f *Facts, w *Wanted) {
			w.Pods, f.Links, f.LeftLinks = []string{"10.244.0.0/16"}, []Link{{"cni0", "10.244.1.1/24"}}, []string{"cni0"}
		}, "PREP084-networks", "", ""},
		"networks that are not known": {func(f *Facts, w *Wanted) {
			w.Pods, f.Links = []string{"", "x"}, []Link{{"eth0", "10.0.0.7/24"}, {"x", "y"}}
		}, "PREP084-networks", "", ""},

		"etcd's directory is a disk": {func(f *Facts, w *Wanted) { w.Role, f.EtcdData = ControlPlane, []string{"lost+found"} },
			"PREP095-etcd-data", Blocks, "leave it there: join with --ignore-preflight-errors DirAvailable--var-lib-etcd"},
		"a disk elsewhere": {func(f *Facts, w *Wanted) {
			w.Role, w.EtcdDir, f.EtcdData = ControlPlane, "/data/etcd", []string{"lost+found"}
		},
			"PREP095-etcd-data", Blocks, "DirAvailable--data-etcd"},
		"a disk that kubeadm is to ignore": {func(f *Facts, w *Wanted) {
			w.Role, w.Ignored, f.EtcdData = ControlPlane, []string{"DirAvailable--var-lib-etcd"}, []string{"lost+found"}
		}, "PREP095-etcd-data", Notes, "told to ignore it"},
		"data of something else": {func(f *Facts, w *Wanted) { w.Role, f.EtcdData = ControlPlane, []string{"lost+found", "backup.db"} },
			"PREP095-etcd-data", Blocks, "find out whose it is"},
	} {
		t.Run(name, func(t *testing.T) {
			f, w := prepared(), Wanted{Kubernetes: "v1.36.3"}
			c.change(&f, &w)
			r := Decide(f, w)
			var found []Finding
			for _, one := range r.Findings {
				if one.ID == c.id {
					found = append(found, one)
				}
			}
			if c.severity == "" {
				if len(found) > 0 || !slices.Contains(r.Checked, c.id) {
					t.Errorf("%+v", found)
				}
				return
			}
			said := ""
			for _, one := range found {
				said += one.Text + one.WayOut
				for _, change := range one.Changes {
					said += change.String()
				}
			}
			if len(found) == 0 || found[0].Severity != c.severity || !strings.Contains(said, c.says) {
				t.Errorf("%+v", r.Findings)
			}
		})
	}
}

func TestACgroupLiesWhereTheKubeletLooksForIt(t *testing.T) {
	for name, c := range map[string]struct{ name, driver, want string }{
		"a slice":                 {"/kube.slice", "systemd", "/kube.slice"},
		"a slice in another":      {"/kube-reserved.slice", "systemd", "/kube.slice/kube-reserved.slice"},
		"a slice without its end": {"kube", "", "/kube.slice"},
		"a path":                  {"/a/kube-reserved", "cgroupfs", "/a/kube-reserved"},
	} {
		if got := CgroupPath(c.name, c.driver); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
