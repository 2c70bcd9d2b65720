// SPDX-License-Identifier: Apache-2.0

package clean

import "testing"

func TestOwners(t *testing.T) {
	for _, tc := range []struct {
		what     string
		patterns patterns
		names    map[string]Owner
	}{
		{"chains", chainPatterns(), map[string]Owner{
			"KUBE-FIREWALL": Kubelet, "KUBE-MARK-MASQ": Kubelet, "KUBE-IPTABLES-HINT": Kubelet, "KUBE-KUBELET-CANARY": Kubelet,
			"KUBE-SERVICES": KubeProxy, "KUBE-SEP-2VLSJHRZPQXZJEHY": KubeProxy, "KUBE-PROXY-CANARY": KubeProxy, "KUBE-IPVS-FILTER": KubeProxy,
			"KUBE-ROUTER-INPUT": KubeRouter, "KUBE-POD-FW-ABC": KubeRouter, "KUBE-NWPLCY-X": KubeRouter,
			"CNI-HOSTPORT-DNAT": CNIPlugins, "CNI-FORWARD": CNIPlugins, "CNI-SN-0123456789abcdef01234": CNIPlugins,
			"FLANNEL-FWD": Flannel, "FLANNEL-POSTRTG": Flannel, "cali-FORWARD": Calico, "CILIUM_POST_nat": Cilium, "OLD_CILIUM_INPUT": Cilium,
			"ANTREA-FORWARD": Antrea, "OVN-POSTROUTING": KubeOVN, "WEAVE-NPC": Weave,
			"DOCKER": Foreign, "DOCKER-USER": Foreign, "DOCKER-ISOLATION-STAGE-1": Foreign, "ufw-user-input": Foreign, "f2b-sshd": Foreign,
			"LIBVIRT_INP": Foreign, "ts-input": Foreign, "IN_public": Foreign, "KUBE": Foreign, "KUBE-": Foreign, "KUBE-SEP-lower": Foreign,
			"xKUBE-SERVICES": Foreign, "KUBE-SERVICESx": Foreign, "CNI-abc": Foreign, "FLANNEL": Foreign, "cali-": Foreign, "": Foreign,
		}},
		{"comments", commentPatterns(), map[string]Owner{
			"flanneld masq": Flannel, "cali:6gwbT8clXdHdC1b1": Calico, "cilium-feeder: CILIUM_INPUT": Foreign, "cilium: allow the mail": Foreign,
			"kubernetes service portals": Foreign, "flanneld": Foreign, "not cali:6gwbT8clXdHdC1b1": Foreign,
		}},
		{"tables", tablePatterns(), map[string]Owner{
			"ip kube-proxy": KubeProxy, "ip6 kube-proxy": KubeProxy, "ip flannel-ipv4": Flannel, "ip6 flannel-ipv6": Flannel, "ip calico": Calico,
			"inet cni_plugins_masquerade": CNIPlugins, "ip cni_hostport": CNIPlugins,
			"inet firewalld": Foreign, "ip flannel-ipv6": Foreign, "inet filter": Foreign, "ip docker-bridges": Foreign,
		}},
		{"ip sets", setPatterns(), map[string]Owner{
			"KUBE-CLUSTER-IP": KubeProxy, "KUBE-6-LOOP-BACK": KubeProxy, "KUBE-LOAD-BALANCER-SOURCE-CIDR": KubeProxy, "KUBE-NODE-PORT-TCP": KubeProxy,
			"cali40masq-ipam-pools": Calico, "kube-router-node-ips": KubeRouter, "f2b-sshd": Foreign, "KUBE-MINE": Foreign, "ufw-sets": Foreign,
		}},
		{"BPF pins", pinPatterns(), map[string]Owner{
			"cilium": Cilium, "tc/globals/cilium_call_policy": Cilium, "tc/globals/cali_v4_ct3": Calico, "calico": Calico,
			"tc": Foreign, "tc/globals": Foreign, "ip": Foreign, "snap": Foreign,
		}},
	} {
		for name, want := range tc.names {
			t.Run(tc.what+" "+name, func(t *testing.T) {
				if got := tc.patterns.owner(name); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

func TestALinkIsOursByNameAndKind(t *testing.T) {
	for _, tc := range []struct {
		name, kind string
		want       Owner
	}{
		{"cni0", "bridge", CNIPlugins},
		{"cni0", "dummy", Foreign},
		{"cni01", "bridge", Foreign},
		{"flannel.1", "vxlan", Flannel},
		{"flannel-v6.1", "vxlan", Flannel},
		{"flannel.1", "bridge", Foreign},
		{"flannel-wg", "wireguard", Flannel},
		{"kube-ipvs0", "dummy", KubeProxy},
		{"cali0123456789a", "veth", Calico},
		{"calibration", "veth", Foreign},
		{"lxc0123456789ab", "veth", Cilium},
		{"lxcbr0", "bridge", Foreign},
		{"docker0", "bridge", Foreign},
		{"dummy0", "dummy", Foreign},
		{"eth0", "device", Foreign},
		{"veth1234", "veth", Foreign},
		{"tunl0", "ipip", Foreign}, // the kernel's; the addresses on it are looked at by themselves
		{"antrea-gw0", "openvswitch", Antrea},
		{"antrea-gw0", "dummy", Foreign},
		{"ovn0", "openvswitch", KubeOVN},
		{"br-int", "openvswitch", Foreign}, // OpenStack's has this name, too
		{"weave", "bridge", Weave},
		{"vethwe-bridge", "veth", Weave},
		{"vethwepl1a2b3c4", "veth", Weave},
		{"vxlan-6784", "vxlan", Weave},
	} {
		t.Run(tc.name+" of kind "+tc.kind, func(t *testing.T) {
			if got := linkOwner(tc.name, tc.kind); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestMountsOutsideTheKubeletsRoot(t *testing.T) {
	for path, want := range map[string]Owner{
		"/run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624": CNIPlugins,
		"/run/netns/mine":     Foreign,
		"/run/netns/cni-mine": Foreign,
		"/run/netns":          Foreign,
		"/run/containerd/io.containerd.runtime.v2.task/k8s.io/07dfd327/rootfs": Runtime,
		"/run/containerd/io.containerd.runtime.v2.task/moby/07dfd327/rootfs":   Foreign,
		"/run/containerd/io.containerd.grpc.v1.cri/sandboxes/07df/shm":         Runtime,
		"/var/lib/docker/overlay2/x/merged":                                    Foreign,
		"/sys/fs/bpf":                                                          Foreign,
		"/":                                                                    Foreign,
	} {
		t.Run(path, func(t *testing.T) {
			if got := mountPatterns().owner(path); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
