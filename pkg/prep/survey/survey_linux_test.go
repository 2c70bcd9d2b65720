// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// hostOf is a host below a directory. Commands answer what answers holds; a program
// with no answer is not installed.
func hostOf(t *testing.T, files, answers map[string]string) host.Local {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		place := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			if err := os.Symlink(target, place); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(place, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return host.Local{Root: root, Exec: func(_ context.Context, cmd host.Command) (string, error) {
		if cmd.Name == "which" {
			for line := range answers {
				if name, _, _ := strings.Cut(line, " "); name == cmd.Args[0] {
					return "", nil
				}
			}
			return "", os.ErrNotExist
		}
		if out, known := answers[cmd.String()]; known {
			return out, nil
		}
		if cmd.Name == "systemctl" {
			return "LoadState=not-found\nActiveState=inactive\n", nil
		}
		return "", errors.New("no such program")
	}}
}

func bare() map[string]string {
	return map[string]string{
		"/run/systemd/system/.keep": "", "/proc/swaps": "Filename Type\n", "/proc/sys/kernel/osrelease": "6.1.0\n",
		"/proc/sys/kernel/hostname": "w1\n", "/etc/machine-id": "abc\n", "/sys/fs/cgroup/cgroup.controllers": "cpu\n",
		"/var/lib/.keep": "",
	}
}

func TestSettingsAtBootAreReadInTheOrderThatCounts(t *testing.T) {
	files := bare()
	files["/usr/lib/sysctl.d/50-default.conf"] = "net.ipv4.ip_forward = 0\n"
	files["/etc/sysctl.d/50-default.conf"] = "# hides the one above\n"
	files["/usr/lib/sysctl.d/60-x.conf"] = "-net/ipv4/ip_forward=1\n"
	files["/run/sysctl.d/55-y.conf"] = "net.ipv4.ip_forward = 7\nother.key = 1\n"
	files["/etc/sysctl.conf"] = "; c\nnet.ipv4.ip_forward=2\n"
	facts := Read(t.Context(), hostOf(t, files, nil), prep.Wanted{})
	var got []string
	for _, s := range facts.Sysctls.AtBoot {
		got = append(got, s.File+" "+s.Value)
	}
	want := []string{"/run/sysctl.d/55-y.conf 7", "/usr/lib/sysctl.d/60-x.conf 1", "/etc/sysctl.conf 2"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestEachOriginOfSwapIsFound(t *testing.T) {
	files := bare()
	files["/proc/swaps"] = "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 100\n"
	files["/usr/lib/systemd/zram-generator.conf"] = "[zram0]\n"
	files["/etc/systemd/system/dev-loop0.swap"] = "[Swap]\nWhat=/dev/loop0\n"
	files["/etc/initramfs-tools/conf.d/resume"] = "RESUME=UUID=7\n"
	files["/etc/fstab"] = "UUID=1 none swap sw 0 0\n"
	unit := "systemctl show --property=LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths "
	facts := Read(t.Context(), hostOf(t, files, map[string]string{
		"systemctl list-units --all --full --plain --no-legend --no-pager *.swap": "dev-loop0.swap loaded\ndev-sda2.swap loaded\ndev-sdb1.swap " +
			"loaded\n",
		unit + "dev-loop0.swap": "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nFragmentPath=/etc/systemd/system/dev-loop0.swap\n",
		unit + "dev-sda2.swap": "LoadState=loaded\nActiveState=active\nUnitFileState=generated\n" +
			"FragmentPath=/run/systemd/generator/dev-sda2.swap\n",
		unit + "dev-sdb1.swap": "LoadState=loaded\nActiveState=active\nUnitFileState=generated\n" +
			"FragmentPath=/run/systemd/generator.late/dev-sdb1.swap\n",
	}), prep.Wanted{})
	s := facts.Swap
	if !slices.Equal(s.On, []string{"/dev/zram0"}) || !s.ZRAM.There || s.Resume != "UUID=7" || !s.FSTab.There ||
		!slices.Equal(s.Units, []prep.SwapUnit{{Name: "dev-loop0.swap", Local: true}, {Name: "dev-sdb1.swap"}}) {
		t.Errorf("%+v, unread %v", s, facts.Unread)
	}
}

func TestZRAMThatIsTurnedOffByAnEmptyFileIsNone(t *testing.T) {
	files := bare()
	files["/usr/lib/systemd/zram-generator.conf"] = "[zram0]\n"
	files["/etc/systemd/zram-generator.conf"] = "# none\n"
	if facts := Read(t.Context(), hostOf(t, files, nil), prep.Wanted{}); facts.Swap.ZRAM.There {
		t.Errorf("%+v", facts.Swap.ZRAM)
	}
}

func TestModulesAreThereWhenLoadedBuiltInOrDone(t *testing.T) {
	files := bare()
	files["/sys/module/br_netfilter/refcnt"] = "1\n"
	files["/lib/modules/6.1.0/modules.builtin"] = "kernel/fs/overlayfs/overlay.ko\n"
	files["/lib/modules/6.1.0/modules.dep"] = "kernel/net/bridge/br_netfilter.ko.xz: x\n"
	files["/etc/modules-load.d/k8s.conf"] = "# c\nbr-netfilter\n"
	m := Read(t.Context(), hostOf(t, files, nil), prep.Wanted{}).Modules
	if !slices.Equal(m.Loaded, []string{"overlay", "br_netfilter"}) || !slices.Equal(m.Missing, []string{"nf_conntrack"}) ||
		!slices.Equal(m.AtBoot, []string{"overlay", "br_netfilter"}) {
		t.Errorf("%+v", m)
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	files := bare()
	files["/etc/fstab"] = "-> /proc"
	local := hostOf(t, files, nil)
	facts := Read(t.Context(), local, prep.Wanted{})
	if facts.Unread["swap"] == "" {
		t.Errorf("%v", facts.Unread)
	}
	if r := prep.Decide(facts, prep.Wanted{}); !slices.ContainsFunc(r.Unread, func(u string) bool { return strings.HasPrefix(u, "PREP011") }) {
		t.Errorf("%v", r.Unread)
	}
}

func TestTheRuntimeThatDoesNotAnswerIsNotCalledRunning(t *testing.T) {
	unit := "systemctl show --property=LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths containerd.service"
	facts := Read(t.Context(), hostOf(t, bare(), map[string]string{
		unit: "LoadState=loaded\nActiveState=active\n",
		"containerd config dump": "version = 3\ndisabled_plugins = " +
			"['io.containerd.grpc.v1.cri']\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n" +
			"sandbox = 'registry.k8s.io/pause:3.10'\n",
	}), prep.Wanted{})
	rt := facts.Runtime
	if rt.Program != "containerd" || rt.Answers || rt.Error == "" || rt.Active != "active" || rt.Effective == nil ||
		rt.Effective.SandboxImage != "registry.k8s.io/pause:3.10" || len(rt.Effective.Disabled) != 1 {
		t.Errorf("%+v %v", rt, facts.Unread)
	}
}

func TestPortsProgramsAndHoldsAreRead(t *testing.T) {
	files := bare()
	files["/proc/net/tcp"] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n" +
		"   0: 00000000:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n" +
		"   1: 0100007F:280B 00000000:0000 01 00000000:00000000 00:00000000 00000000     0\n"
	facts := Read(t.Context(), hostOf(t, files, map[string]string{
		"ss -Hltnp":                "LISTEN 0 4096 *:10250 *:* users:((\"k3s\",pid=7,fd=3))\n",
		"kubeadm version -o short": "v1.36.3\n", "kubelet --version": "Kubernetes v1.36.2\n", "apt-mark showhold": "kubelet\n",
	}), prep.Wanted{})
	if len(facts.Listening) != 1 || facts.Listening[10250] != "k3s" || facts.Programs["kubelet"] != "v1.36.2" ||
		facts.Programs["kubeadm"] != "v1.36.3" || !slices.Equal(facts.Held, []string{"kubelet"}) || facts.Packages != "apt" {
		t.Errorf("%v %v %v %s; unread %v", facts.Listening, facts.Programs, facts.Held, facts.Packages, facts.Unread)
	}
}

// TestARuleOfTheFirewallThatDeniesIsRead: it is no open port, and not replaced.
func TestARuleOfTheFirewallThatDeniesIsRead(t *testing.T) {
	guard := Read(t.Context(), hostOf(t, bare(), map[string]string{"ufw status": "Status: active\n\nTo   Action   From\n--   ------   ----\n" +
		"22/tcp   LIMIT   Anywhere\n10250/tcp   DENY   Anywhere\n30000:32767/tcp   ALLOW   Anywhere\nAnywhere   DENY   10.0.0.9\n" +
		"10250/tcp (v6)   DENY   Anywhere (v6)\n"}), prep.Wanted{}).Guard
	if guard.Firewall != "ufw" || !slices.Equal(guard.Closed, []string{"22/tcp", "10250/tcp"}) ||
		!slices.Equal(guard.Open, []string{"30000:32767/tcp"}) {
		t.Errorf("%+v", guard)
	}
}
