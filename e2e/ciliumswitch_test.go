// SPDX-License-Identifier: Apache-2.0

//go:build e2e && cilium

package e2e

import (
	"testing"
)

// switching are the stages of a cluster whose network is switched there and back.
func (c *ciliumBed) switching() []stage {
	programs := map[string]string{}
	return []stage{
		{"flannel is the network", onBoth, func(t *testing.T) {
			t.Helper()
			c.must(t, c.cniInstall()...)
			for _, node := range c.hosts() {
				if err := c.receives(t, node, "cat >/usr/local/bin/list-bpf && chmod 755 /usr/local/bin/list-bpf", c.program); err != nil {
					t.Fatal(err)
				}
				programs[node] = c.host(t, node, "list-bpf")
			}
		}},
		{"flannel gives way to Cilium and pods keep their budgets", onBoth, func(t *testing.T) {
			t.Helper()
			c.switches(t, journeyOfNetworks{from: "flannel", other: "calico", to: append([]string{"cni", "switch"}, c.install()[2:]...)})
			c.stageInstall(t)
			c.none(t, `ip -o link | grep -E 'flannel|cni0'; nft list ruleset 2>/dev/null | grep -i flannel
				ls -d /run/flannel /etc/cni/net.d/*flannel* /opt/cni/bin/flannel 2>/dev/null`)
		}},
		{"Cilium gives way to flannel and leaves nothing", onBoth, func(t *testing.T) {
			t.Helper()
			o := c.switches(t, journeyOfNetworks{from: "cilium", other: "calico", to: append([]string{"cni", "switch"}, c.cniInstall()[2:]...)})
			o.says(t, "net.ipv4.conf.all.rp_filter=0 stays on")
			c.networkWorks(t)
			c.none(t, `ip -o link | grep -E 'cilium|lxc'; ip rule | grep -E '2004|^100:'; ip route show table 2004 2>/dev/null
				nft list ruleset 2>/dev/null | grep -i cilium; mount | grep /run/cilium; ls /sys/fs/bpf/tc/globals 2>/dev/null
				ls -d /run/cilium /var/lib/cilium /sys/fs/bpf/cilium /etc/cni/net.d/*cilium* /opt/cni/bin/cilium* \
				  /etc/sysctl.d/*cilium* 2>/dev/null`)
			for _, node := range c.hosts() {
				if now := c.host(t, node, "list-bpf"); now != programs[node] {
					t.Errorf("BPF programs on %s:\n%s\nbefore Cilium:\n%s", node, now, programs[node])
				}
			}
		}},
	}
}

// hosts are those of the cluster's nodes from the beginning.
func (c *ciliumBed) hosts() []string { return []string{c.controlPlane, c.worker, c.worker2} }

// none fails the test where a script says something on one of the nodes' hosts.
func (c *ciliumBed) none(t *testing.T, script string) {
	t.Helper()
	for _, node := range c.hosts() {
		if left := c.host(t, node, "{ "+script+"\n} || true"); left != "" {
			t.Errorf("on %s is left:\n%s", node, left)
		}
	}
}
