// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhichResultsAreOfNetworksOfPods(t *testing.T) {
	own := []string{"cbr0", "cilium", "k8s-pod-network", "multus-cni-network", loopback}
	const id = "07dfd3270123456789abcdef07dfd3270123456789abcdef07dfd32701234567"
	for _, tc := range []struct {
		name string
		said map[string]string
		want []string
	}{
		{"what they say is believed", map[string]string{
			"cbr0-" + id + "-eth0": `{"kind":"cniCacheV1","networkName":"cbr0","containerId":"` + id + `"}`}, []string{"cbr0-" + id + "-eth0"}},
		{"the name tells of those that do not say it", map[string]string{
			"k8s-pod-network-" + id + "-eth0": "{}", "multus-cni-network-abc-eth0": "", "cilium-abc-net1": `{"interfaces":[]}`},
			[]string{"cilium-abc-net1", "k8s-pod-network-" + id + "-eth0", "multus-cni-network-abc-eth0"}},
		{"a network whose name begins as a pod network's is another", map[string]string{
			"cilium-lab-" + id + "-eth0": "{}", "cbr0-beef-" + id + "-eth0": "", "k8s-pod-network-2-" + id + "-eth0": ""}, nil},
		{"one that says it is another's is", map[string]string{
			"cilium-abc-eth0": `{"networkName":"cilium-abc","containerId":"x"}`, "cbr0-a-eth0": `{"networkName":"cbr0-a"}`}, nil},
		{"one that says so of another file proves nothing", map[string]string{"podman-" + id + "-eth0": `{"networkName":"cbr0"}`}, nil},
		{"the loopback of a pod goes with it, and of another's container it stays", map[string]string{
			"cbr0-abc-eth0": "", "cni-loopback-abc-lo": "", "podman-def-eth0": "", "cni-loopback-def-lo": "", "cni-loopback-ghi-lo": ""},
			[]string{"cbr0-abc-eth0", "cni-loopback-abc-lo", "cni-loopback-ghi-lo"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var all []Result
			for name, raw := range tc.said {
				all = append(all, parseResult(name, []byte(raw), own))
			}
			var got []string
			for _, r := range judgeResults(all, own) {
				if r.Pods {
					got = append(got, r.Name)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhichNamespacesAResultNames(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  string
		want []string
	}{
		"one of a plugin's result": {`{"result":{"interfaces":[{"name":"cni0"},{"name":"eth0","sandbox":"/var/run/netns/cni-1"}]}}`,
			[]string{"/run/netns/cni-1"}},
		"a bare one": {`{"interfaces":[{"sandbox":"/run/netns/cni-1"},{"sandbox":"/run/netns/cni-1"}]}`,
			[]string{"/run/netns/cni-1"}},
		"the one that it was called for": {`{"netns":"/var/run/netns/cni-2"}`, []string{"/run/netns/cni-2"}},
		"none": {`{"netns":"/proc/1/ns/net","result":{"interfaces":[{"sandbox":"/run/netns/../x"},{"sandbox":"cni-1"}]}}`,
			nil},
		"what is no JSON": {"\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parseResult("x", []byte(tc.raw), nil).Namespaces); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
