// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestAFileThatIsThereIsAddedTo: of an earlier preparation for another cluster, or a
// person's own. Written as a new file it would be refused each time, with all that follows.
func TestAFileThatIsThereIsAddedTo(t *testing.T) {
	f := prepared()
	f.Modules.AtBoot = []string{"overlay", "br_netfilter", "nf_conntrack"}
	f.Modules.File = File{Path: ModulesFile, There: true, Content: "overlay\nmine", Mode: 0o600}
	f.Sysctls.AtBoot = nil
	f.Sysctls.File = File{Path: SysctlFile, There: true, Content: "vm.swappiness = 10\n"}
	want := map[string]string{
		ModulesFile: "overlay\nmine\nip_vs\nip_vs_rr\nip_vs_wrr\nip_vs_sh\n",
		SysctlFile: "vm.swappiness = 10\nnet.ipv4.ip_forward = 1\nnet.bridge.bridge-nf-call-iptables = 1\n" +
			"net.bridge.bridge-nf-call-ip6tables = 1\nfs.inotify.max_user_instances = 8192\nfs.inotify.max_user_watches = 524288\n",
	}
	seen := 0
	for _, c := range Decide(f, Wanted{ProxyMode: "ipvs"}).Changes() {
		if c.Kind != WriteFile {
			continue
		}
		seen++
		if c.Absent || c.Content != want[c.Path] || c.Before == "" {
			t.Errorf("%s: absent %v, %q", c.Path, c.Absent, c.Content)
		}
		if c.Path == ModulesFile && c.Mode != 0o600 {
			t.Errorf("mode %o", c.Mode)
		}
	}
	if seen != 2 {
		t.Errorf("%d files", seen)
	}
}

// TestSettingsOfRegistriesInTheConfigurationStay: beside config_path containerd refuses
// them, and has no CRI.
func TestSettingsOfRegistriesInTheConfigurationStay(t *testing.T) {
	for name, inline := range map[string]string{
		"a mirror, version 2": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.mirrors.\"docker.io\"]\n  endpoint = " +
			"[\"https://m.example\"]\n",
		"TLS, version 2": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"m.example\".tls]\n  ca_file = \"/x\"\n",
		"a mirror, version 3": "version = 3\n[plugins.\"io.containerd.cri.v1.images\".registry.mirrors.\"docker.io\"]\n  endpoint = " +
			"[\"https://m.example\"]\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := prepared()
			e, err := ReadEffective(inline)
			if err != nil || !e.Inline {
				t.Fatalf("%+v, %v", e, err)
			}
			e.CgroupDriver = "systemd"
			f.Runtime.Config.Content, f.Runtime.Effective = inline, e
			if r := Decide(f, Wanted{}); len(r.Findings) != 0 {
				t.Errorf("%+v", r.Findings)
			}
			f.Runtime.Effective.CgroupDriver = "cgroupfs" // another edit must not bring it either
			changes := Decide(f, Wanted{}).Changes()
			if len(changes) != 2 || strings.Contains(changes[0].Content, "config_path") || !strings.Contains(changes[0].Content,
				"SystemdCgroup = true") {
				t.Errorf("%+v", changes)
			}
		})
	}
	auth := "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"m.example\".auth]\n  username = \"u\"\n"
	if e, err := ReadEffective(auth); err != nil || e.Inline {
		t.Errorf("credentials stand beside config_path: %+v, %v", e, err)
	}
}

// TestARuleThatDeniesIsNotReplaced: "ufw allow PORT" puts itself in the place of "ufw deny
// PORT", and taking it back would not bring that again.
func TestARuleThatDeniesIsNotReplaced(t *testing.T) {
	for _, rule := range []string{"10250/tcp", "10250", "10000:11000/tcp"} {
		f := prepared()
		f.Guard = Guard{Firewall: "ufw", Open: []string{"30000:32767/tcp", "30000:32767/udp", "10250/tcp"}, Closed: []string{rule}}
		r := Decide(f, Wanted{})
		if len(r.Changes()) != 0 || len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, "10250/tcp (kubelet)") ||
			r.Findings[0].WayOut == "" {
			t.Errorf("%s: %+v", rule, r.Findings)
		}
	}
	f := prepared()
	f.Guard = Guard{Firewall: "ufw", Closed: []string{"10250/udp", "22/tcp"}}
	if r := Decide(f, Wanted{}); len(r.Changes()) != 3 {
		t.Errorf("rules about other ports: %+v", r.Changes())
	}
}

// TestWhatCouldBlockAndWasNotReadBlocks: it is never called good.
func TestWhatCouldBlockAndWasNotReadBlocks(t *testing.T) {
	for part, blocks := range map[string]bool{
		"kernel": true, "swap": true, "modules": true, "sysctl": true, "runtime": true, "ports": true, "traces": true, "programs": true,
		"firewall": false, "packages": false, "name": false, "disk": false, "clock": false,
	} {
		f := prepared()
		f.Unread = map[string]string{part: "permission denied"}
		if r := Decide(f, Wanted{}); r.Blocked() != blocks || len(r.Unread) == 0 {
			t.Errorf("%s: %+v", part, r)
		}
	}
}

// TestNothingOfAFileButWhatChangesLeavesTheHost: fstab may hold the password of a share,
// containerd's configuration that of a registry.
func TestNothingOfAFileButWhatChangesLeavesTheHost(t *testing.T) {
	f := prepared()
	f.Swap.FSTab.Content = "//nas/x /mnt cifs username=u,password=hunter2 0 0\nUUID=1 none swap sw 0 0\n"
	f.Runtime.Config.Content = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry.configs.\"m\".auth]\n  password = \"hunter2\"\n"
	f.Runtime.Effective.CgroupDriver = "cgroupfs"
	whole := Outcome{Report: Decide(f, Wanted{})}
	shown := whole.Shown()
	raw, err := json.Marshal(shown)
	if err != nil || strings.Contains(string(raw), "hunter2") {
		t.Errorf("%s, %v", raw, err)
	}
	if !slices.Equal(shown.Lines(Order{}), whole.Lines(Order{})) {
		t.Errorf("a person reads something else:\n%q\n%q", shown.Lines(Order{}), whole.Lines(Order{}))
	}
	if !strings.Contains(whole.Report.Changes()[0].Before, "hunter2") {
		t.Error("the change itself lacks what must still be there")
	}
}

// TestAHostCannotKeepTheOneWhoAsksBusy: what it sends is counted before anything is
// compared with anything.
func TestAHostCannotKeepTheOneWhoAsksBusy(t *testing.T) {
	var before, after strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&before, "a%d\n", i)
		fmt.Fprintf(&after, "b%d\n", i)
	}
	flood := Change{Kind: WriteFile, Before: before.String(), Content: after.String()}
	o := Outcome{Report: Report{Findings: []Finding{{Changes: []Change{flood}}}}}
	if o.Bounded(1000, 8<<10) == nil {
		t.Error("no error")
	}
	if len(o.Lines(Order{})) == 0 { // linear: with each line compared with each this takes minutes
		t.Error("no lines")
	}
}
