// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

func node(name string, images ...string) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.NodeInfo.MachineID, n.Status.NodeInfo.SystemUUID = "m-"+name, "u-"+name
	n.Status.Images = []corev1.ContainerImage{{Names: images}}
	return n
}

func TestWhatAClusterWantsIsReadFromItsOwnConfiguration(t *testing.T) {
	nodes := []corev1.Node{node("a", "m.example/k8s/pause:3.10", "m.example/k8s/pause@sha256:1"),
		node("b", "m.example/k8s/pause:3.10", "m.example/k8s/pause:3.9"),
		node("c", "registry.k8s.io/pause:3.8")}
	ids := []prep.Identity{{Node: "a", MachineID: "m-a", SystemUUID: "u-a"}, {Node: "b", MachineID: "m-b", SystemUUID: "u-b"},
		{Node: "c", MachineID: "m-c", SystemUUID: "u-c"}}
	for name, c := range map[string]struct {
		configs configs
		agents  []agent
		want    prep.Wanted
	}{
		"all of it": {configs{cluster: "kubernetesVersion: v1.36.3\nimageRepository: m.example/k8s\nnetworking: {podSubnet: " +
			"'10.244.0.0/16,fd00::/48', serviceSubnet: 10.96.0.0/12}\netcd: {local: {dataDir: /data/etcd}}\n",
			kubelet: "cgroupDriver: cgroupfs\nfailSwapOn: false\nfailCgroupV1: false\nresolvConf: /run/r.conf\n" +
				"protectKernelDefaults: true\nenforceNodeAllocatable: [pods, kube-reserved]\nkubeReservedCgroup: /kube.slice\n" +
				"systemReservedCgroup: /system.slice\n",
			proxy: "mode: ipvs\n"}, []agent{{"kube-system",
			"x"}, {"kube-flannel", "kube-flannel-ds"}},
			prep.Wanted{Kubernetes: "v1.36.3", CgroupDriver: "cgroupfs", SandboxImage: "m.example/k8s/pause:3.10", ProxyMode: "ipvs",
				Network: "flannel", EtcdDir: "/data/etcd",
				ProtectKernelDefaults: true, ReservedCgroups: []string{"/kube.slice"},
				Pods: []string{"10.244.0.0/16", "fd00::/48"}, Services: []string{"10.96.0.0/12"},
				IPv6: true, SwapAllowed: true, CgroupV1Allowed: true, Nodes: ids, ResolvConf: new("/run/r.conf")}},
		"nothing is there": {configs{}, nil, prep.Wanted{CgroupDriver: "systemd", SandboxImage: "registry.k8s.io/pause:3.8", Nodes: ids}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decide(c.configs, nodes, c.agents)
			if err != nil || cmp.Diff(c.want, got) != "" {
				t.Errorf("%v\n%s", err, cmp.Diff(c.want, got))
			}
		})
	}
}

func TestAConfigurationThatIsHostileIsRefused(t *testing.T) {
	for name, c := range map[string]configs{
		"no YAML":                        {cluster: "{"},
		"a resolver's file that is none": {kubelet: "resolvConf: \"/x\\n/y\"\n"},
		"a cgroup driver of its own":     {kubelet: "cgroupDriver: \"x\\nSystemdCgroup = false\"\n"},
	} {
		if _, err := decide(c, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	evil := node("a", "registry.k8s.io/pause:3\"\n[x]", strings.Repeat("registry.k8s.io/pause:3", 100))
	if got, err := decide(configs{}, []corev1.Node{evil}, nil); err != nil || got.SandboxImage != "" {
		t.Errorf("%q, %v", got.SandboxImage, err)
	}
}
