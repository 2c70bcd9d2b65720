// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestOwners(t *testing.T) {
	for _, tc := range []struct {
		what     string
		patterns interface {
			Owner(name string) inventory.Owner
		}
		names map[string]inventory.Owner
	}{
		{"chains", Chains(), map[string]inventory.Owner{
			"KUBE-FIREWALL": inventory.Kubelet, "KUBE-MARK-MASQ": inventory.Kubelet, "KUBE-IPTABLES-HINT": inventory.Kubelet,
			"KUBE-KUBELET-CANARY": inventory.Kubelet,
			"KUBE-SERVICES":       inventory.KubeProxy, "KUBE-SEP-2VLSJHRZPQXZJEHY": inventory.KubeProxy, "KUBE-PROXY-CANARY": inventory.KubeProxy,
			"KUBE-IPVS-FILTER":  inventory.KubeProxy,
			"KUBE-ROUTER-INPUT": inventory.KubeRouter, "KUBE-POD-FW-2VLSJHRZPQXZJEHY": inventory.KubeRouter,
			"KUBE-NWPLCY-DEFAULT": inventory.KubeRouter,
			"CNI-HOSTPORT-DNAT":   inventory.CNIPlugins, "CNI-FORWARD": inventory.CNIPlugins, "CNI-SN-0123456789abcdef01234": inventory.CNIPlugins,
			"FLANNEL-FWD": inventory.Flannel, "FLANNEL-POSTRTG": inventory.Flannel, "cali-FORWARD": inventory.Calico,
			"CILIUM_POST_nat": inventory.Cilium, "OLD_CILIUM_INPUT": inventory.Cilium,
			"ANTREA-FORWARD": inventory.Antrea, "OVN-POSTROUTING": inventory.KubeOVN, "WEAVE-NPC": inventory.Weave,
			"DOCKER": inventory.Foreign, "DOCKER-USER": inventory.Foreign, "DOCKER-ISOLATION-STAGE-1": inventory.Foreign,
			"ufw-user-input": inventory.Foreign, "f2b-sshd": inventory.Foreign,
			"LIBVIRT_INP": inventory.Foreign, "ts-input": inventory.Foreign, "IN_public": inventory.Foreign, "KUBE": inventory.Foreign,
			"KUBE-": inventory.Foreign, "KUBE-SEP-lower": inventory.Foreign,
			"xKUBE-SERVICES": inventory.Foreign, "KUBE-SERVICESx": inventory.Foreign, "CNI-abc": inventory.Foreign, "FLANNEL": inventory.Foreign,
			"cali-": inventory.Foreign, "": inventory.Foreign,
		}},
		{"comments", Comments(), map[string]inventory.Owner{
			"flanneld masq": inventory.Flannel, "cali:6gwbT8clXdHdC1b1": inventory.Calico, "cilium-feeder: " +
				"CILIUM_INPUT": inventory.Foreign, "cilium: allow the mail": inventory.Foreign,
			"kubernetes service portals": inventory.Foreign, "flanneld": inventory.Foreign, "not cali:6gwbT8clXdHdC1b1": inventory.Foreign,
			"Kilo: reject other IPIP traffic": inventory.Kilo, "Kilo: forward packets from private IPs": inventory.Kilo,
			"Kilo: forward the office": inventory.Foreign, "Kilo: jump to KILO-NAT chain": inventory.Kilo,
		}},
		{"tables", Tables(), map[string]inventory.Owner{
			"ip kube-proxy": inventory.KubeProxy, "ip6 kube-proxy": inventory.KubeProxy, "ip flannel-ipv4": inventory.Flannel, "ip6 " +
				"flannel-ipv6": inventory.Flannel, "ip calico": inventory.Calico,
			"inet cni_plugins_masquerade": inventory.CNIPlugins, "ip cni_hostport": inventory.CNIPlugins,
			"inet firewalld": inventory.Foreign, "ip flannel-ipv6": inventory.Foreign, "inet filter": inventory.Foreign, "ip " +
				"docker-bridges": inventory.Foreign,
		}},
		{"ip sets", Sets(), map[string]inventory.Owner{
			"KUBE-CLUSTER-IP": inventory.KubeProxy, "KUBE-6-LOOP-BACK": inventory.KubeProxy, "KUBE-LOAD-BALANCER-SOURCE-CIDR": inventory.KubeProxy,
			"KUBE-NODE-PORT-TCP":    inventory.KubeProxy,
			"cali40masq-ipam-pools": inventory.Calico, "kube-router-node-ips": inventory.KubeRouter, "f2b-sshd": inventory.Foreign,
			"KUBE-MINE": inventory.Foreign, "ufw-sets": inventory.Foreign,
		}},
		{"BPF pins", Pins(), map[string]inventory.Owner{
			"cilium": inventory.Cilium, "calico": inventory.Calico,
			"tc": inventory.Foreign, "tc/globals": inventory.Foreign, "ip": inventory.Foreign, "snap": inventory.Foreign,
		}},
	} {
		for name, want := range tc.names {
			t.Run(tc.what+" "+name, func(t *testing.T) {
				if got := tc.patterns.Owner(name); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestALinkIsOursByNameAndKind(t *testing.T) {
	for _, tc := range []struct {
		name, kind string
		want       inventory.Owner
	}{
		{"cni0", "bridge", inventory.CNIPlugins},
		{"cni0", "dummy", inventory.Foreign},
		{"cni01", "bridge", inventory.Foreign},
		{"bwcali6514ff3bb", "ifb", inventory.Calico},
		{"bwcali6514ff3bb", "dummy", inventory.Foreign},
		{"bwp0123456789ab", "ifb", inventory.CNIPlugins},
		{"bwp0", "ifb", inventory.Foreign},
		{"ifb0", "ifb", inventory.Foreign},
		{"flannel.1", "vxlan", inventory.Flannel},
		{"flannel-v6.1", "vxlan", inventory.Flannel},
		{"flannel.1", "bridge", inventory.Foreign},
		{"flannel-wg", "wireguard", inventory.Flannel},
		{"kilo0", "wireguard", inventory.Kilo},
		{"kilo0", "dummy", inventory.Foreign},
		{"kilo", "wireguard", inventory.Foreign},
		{"kube-bridge", "bridge", inventory.KubeRouter},
		{"kube-ipvs0", "dummy", inventory.KubeProxy},
		{"cali0123456789a", "veth", inventory.Calico},
		{"calibration", "veth", inventory.Foreign},
		{"lxc0123456789ab", "veth", inventory.Cilium},
		{"lxc0123456789ab", "netkit", inventory.Cilium},
		{"cilium_ipip4", "ipip", inventory.Cilium},
		{"cilium_ipip6", "ip6tnl", inventory.Cilium},
		{"cilium_tunl", "ipip", inventory.Foreign}, // the kernel's tunl0, renamed: it cannot be deleted
		{"lxcbr0", "bridge", inventory.Foreign},
		{"docker0", "bridge", inventory.Foreign},
		{"dummy0", "dummy", inventory.Foreign},
		{"eth0", "device", inventory.Foreign},
		{"veth1234", "veth", inventory.Foreign},
		{"tunl0", "ipip", inventory.Foreign}, // the kernel's; the addresses on it are looked at by themselves
		{"antrea-gw0", "openvswitch", inventory.Antrea},
		{"antrea-gw0", "dummy", inventory.Foreign},
		{"ovn0", "openvswitch", inventory.KubeOVN},
		{"br-int", "openvswitch", inventory.Foreign}, // OpenStack's has this name, too
		{"weave", "bridge", inventory.Weave},
		{"vethwe-bridge", "veth", inventory.Weave},
		{"vethwepl1a2b3c4", "veth", inventory.Weave},
		{"vxlan-6784", "vxlan", inventory.Weave},
	} {
		t.Run(tc.name+" of kind "+tc.kind, func(t *testing.T) {
			if got := Link(tc.name, tc.kind); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestMountsOutsideTheKubeletsRoot(t *testing.T) {
	for path, want := range map[string]inventory.Owner{
		"/run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624": inventory.CNIPlugins,
		"/run/netns/mine":     inventory.Foreign,
		"/run/netns/cni-mine": inventory.Foreign,
		"/run/netns":          inventory.Foreign,
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/07dfd327/rootfs": inventory.Runtime,
		"/run/containerd/io.containerd.runtime.v2.task/moby/07dfd327/rootfs":   inventory.Foreign,
		"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/07df/shm":         inventory.Runtime,
		"/var/lib/docker/overlay2/x/merged":                                    inventory.Foreign,
		"/sys/fs/bpf":                                                          inventory.Foreign,
		"/run/calico/cgroup":                                                   inventory.Calico,
		"/run/calico/cgroup2":                                                  inventory.Foreign,
		"/run/cilium/cgroupv2":                                                 inventory.Cilium,
		"/run/cilium/cgroupv2/x":                                               inventory.Foreign,
		"/mnt/run/cilium/cgroupv2":                                             inventory.Foreign,
		"/":                                                                    inventory.Foreign,
	} {
		t.Run(path, func(t *testing.T) {
			if got := Mounts().Owner(path); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestWhoseALinkOfANameWouldBe(t *testing.T) {
	for name, want := range map[string]inventory.Owner{
		"cni0": inventory.CNIPlugins, "flannel.1": inventory.Flannel, "cali0123456789a": inventory.Calico, "cali+": inventory.Calico,
		"lxc+": inventory.Cilium, "cilium_host": inventory.Cilium, "eth0": inventory.Foreign, "eth+": inventory.Foreign, "+": inventory.Foreign,
		"c+": inventory.Foreign, "docker0": inventory.Foreign, "cni0x": inventory.Foreign, "": inventory.Foreign,
	} {
		if got := LinkNamed(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
