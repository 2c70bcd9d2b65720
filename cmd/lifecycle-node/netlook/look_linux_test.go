// SPDX-License-Identifier: Apache-2.0

package netlook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// planted is a host of some files; a path that ends in a slash is a directory, a
// content that begins with "→" a link.
func planted(t *testing.T, files map[string]string) part.Host {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		at := filepath.Join(root, path)
		dir := filepath.Dir(at)
		if strings.HasSuffix(path, "/") {
			dir = at
		}
		err := os.MkdirAll(dir, 0o755)
		target, link := strings.CutPrefix(content, "→")
		switch {
		case err != nil, strings.HasSuffix(path, "/"):
		case link:
			err = os.Symlink(target, at)
		default:
			err = os.WriteFile(at, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return part.Host{Local: host.Local{Root: root}}
}

func look(t *testing.T, files map[string]string, ports ...int) wire.HostNetwork {
	t.Helper()
	got, err := Read(planted(t, files), "w1", wire.NetworkQuestion{Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheFilesThatTheRuntimeTakesInItsOrder(t *testing.T) {
	got := look(t, map[string]string{
		"/etc/cni/net.d/10-flannel.conflist": `{"name":"cbr0","plugins":[{"type":"flannel"},{"type":"portmap"}]}`,
		"/etc/cni/net.d/05-old.conf":         `{"name":"old","type":"bridge","ipam":{"type":"host-local"}}`,
		"/etc/cni/net.d/00-bad.json":         `{`,
		"/etc/cni/net.d/01-empty.conf":       `{}`,
		"/etc/cni/net.d/kubeconfig":          "no configuration",
		"/etc/cni/net.d/9-dir.conf/":         "",
		"/opt/cni/bin/flannel":               "", "/opt/cni/bin/bridge": "",
	})
	want := []wire.NetConfig{
		{File: "00-bad.json", Bad: "no JSON"}, {File: "01-empty.conf", Bad: "it calls no plugin"},
		{File: "05-old.conf", Name: "old", Types: []string{"bridge", "host-local"}},
		{File: "10-flannel.conflist", Name: "cbr0", Types: []string{"flannel", "portmap"}},
		{File: "9-dir.conf", Bad: got.Configs[len(got.Configs)-1].Bad},
	}
	if diff := cmp.Diff(want, got.Configs); diff != "" || got.Configs[4].Bad == "" {
		t.Error(diff)
	}
	if got.NoConfDir || got.ConfDir != "/etc/cni/net.d" || strings.Join(got.Plugins, " ") != "bridge flannel" || got.BinMode != 0o755 {
		t.Errorf("%+v", got)
	}
}

func TestTheDirectoriesAreThoseOfTheRuntime(t *testing.T) {
	got := look(t, map[string]string{
		"/etc/containerd/config.toml": "[plugins.\"io.containerd.grpc.v1.cri\".cni]\nconf_dir = \"/srv/net.d\"\nbin_dir = \"/usr/lib/cni\"\n",
		"/srv/net.d/10-x.conf":        `{"type":"x"}`, "/etc/cni/net.d/05-other.conf": `{"type":"y"}`,
		"/usr/lib/cni/x": "",
	})
	if got.ConfDir != "/srv/net.d" || len(got.Configs) != 1 || got.Configs[0].File != "10-x.conf" || strings.Join(got.Plugins, " ") != "x" {
		t.Errorf("%+v", got)
	}
}

func TestWhatTheKernelBrings(t *testing.T) {
	const release, dep, builtin = "/proc/sys/kernel/osrelease", "/lib/modules/6.1.0/modules.dep", "/lib/modules/6.1.0/modules.builtin"
	for name, c := range map[string]struct {
		files          map[string]string
		netfilter, ovs bool
	}{
		"nothing":   {map[string]string{"/etc/": ""}, false, false},
		"both":      {map[string]string{"/proc/sys/net/bridge/bridge-nf-call-iptables": "1", "/sys/module/openvswitch/": ""}, true, true},
		"a module":  {map[string]string{release: "6.1.0\n", dep: "kernel/net/openvswitch/openvswitch.ko: x"}, false, true},
		"built in":  {map[string]string{release: "6.1.0\n", builtin: "kernel/net/openvswitch/openvswitch.ko"}, false, true},
		"vport-gre": {map[string]string{release: "6.1.0\n", dep: "kernel/net/openvswitch/vport-gre.ko:"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := look(t, c.files); got.Netfilter != c.netfilter || got.OpenVSwitch != c.ovs || !got.NoConfDir {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestProgramsThatListen(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	row := func(port, state, inode string) string {
		return "   0: 00000000:" + port + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000     0        0 " + inode + " 1 0\n"
	}
	files := map[string]string{
		"/proc/1/net/tcp":  head + row("1F91", "0A", "11") + row("1F91", "01", "12") + row("0016", "0A", "13"),
		"/proc/1/net/udp":  head + row("2118", "07", "0") + row("17C1", "07", "14"),
		"/proc/1/net/tcp6": "garbage\n 0: x:zz 0 0A 0 0 0 0 0 9\n",
		"/proc/42/comm":    "nexus\x1b[2J\n", "/proc/42/fd/3": "→socket:[11]", "/proc/42/fd/4": "→socket:[13]",
		"/proc/43/comm": "ovs\n", "/proc/43/fd/9": "→socket:[14]", "/proc/44/fd/1": "→/dev/null",
	}
	want := []wire.Listener{{Proto: "tcp", Port: 8081, Program: "nexus[2J"}, {Proto: "udp", Port: 6081, Program: "ovs"}}
	if diff := cmp.Diff(want, look(t, files, 8081, 8472, 6081).Listeners); diff != "" {
		t.Error(diff)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"name":"cbr0","plugins":[{"type":"flannel","ipam":{"type":"host-local"}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := parse("x.conf", raw)
		if len(c.Types) > mostTypes || len(c.Types) == 0 && c.Bad == "" {
			t.Errorf("%+v", c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Error(err)
		}
		listening("tcp", string(raw))
	})
}
