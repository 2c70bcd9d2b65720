// SPDX-License-Identifier: Apache-2.0

package control

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestFlagsOfAClusterAreFoundWhereverTheyAreWritten(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"in /etc/default/kubelet": {"KUBELET_EXTRA_ARGS=--cluster-dns=10.96.0.10 --node-labels=old=1,a/b=c\n",
			"--cluster-dns=10.96.0.10 --node-labels=old=1,a/b=c"},
		"quoted":                          {`KUBELET_EXTRA_ARGS="--node-ip=192.0.2.1 --v=2"`, "--node-ip=192.0.2.1"},
		"with a blank, as pflag takes it": {"KUBELET_EXTRA_ARGS=--hostname-override w1 --fail-swap-on=false", "--hostname-override=w1"},
		"in a drop-in": {"[Service]\nEnvironment=\"KUBELET_EXTRA_ARGS=--cloud-provider=external\"\nExecStart=\n" +
			"ExecStart=/usr/bin/kubelet --root-dir=/data/kubelet \\\n  --register-with-taints=a=b:NoSchedule\n",
			"--cloud-provider=external --register-with-taints=a=b:NoSchedule --root-dir=/data/kubelet"},
		"kubeadm's own drop-in has none": {`Environment="KUBELET_KUBECONFIG_ARGS=` +
			`--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"`, ""},
		"another kubeconfig":             {"KUBELET_EXTRA_ARGS=--kubeconfig=/root/old.conf", "--kubeconfig=/root/old.conf"},
		"in a comment":                   {"# --node-ip=192.0.2.1\n; --cluster-dns=1\n", ""},
		"flags that only begin the same": {"KUBELET_EXTRA_ARGS=--node-ip-family=4 --v=2 x--node-ip=1", ""},
		"the host's own":                 {"KUBELET_EXTRA_ARGS=--cgroup-driver=systemd --runtime-cgroups=/system.slice/containerd.service", ""},
		"nothing":                        {"", ""},
	} {
		if got := strings.Join(clusterFlags(tc.text), " "); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestTheVerdictNamesTheFlagsThatStay(t *testing.T) {
	flags := inventory.Item{Kind: inventory.KindFlags, Name: "/etc/default/kubelet", Owner: inventory.Foreign, Fate: inventory.Stays,
		Detail: "--cluster-dns=10.96.0.10"}
	inv := inventory.Inventory{Items: []inventory.Item{flags}}
	if v := inventory.Verify(inv, inv); v.State != inventory.Clean || len(v.Flags) != 1 || v.Flags[0].Detail != flags.Detail ||
		len(v.Brief().Flags) != 1 {
		t.Errorf("verdict: %+v", v)
	}
	if v := inventory.Verify(inv, inventory.Inventory{}); len(v.Flags) != 0 {
		t.Errorf("flags that are gone: %+v", v.Flags)
	}
}

func FuzzClusterFlags(f *testing.F) {
	f.Add("KUBELET_EXTRA_ARGS=--cluster-dns=10.96.0.10 --node-labels old=1\n")
	f.Add("--node-ip=\x00\x1b --root-dir=--root-dir=")
	f.Fuzz(func(t *testing.T, raw string) {
		size := 0
		for _, flag := range clusterFlags(raw) {
			if size += len(flag); !strings.HasPrefix(flag, "--") || strings.ContainsAny(flag, " \n\t\"'") {
				t.Errorf("%q", flag)
			}
		}
		if size > len(raw) {
			t.Errorf("%d bytes of %d", size, len(raw))
		}
	})
}
