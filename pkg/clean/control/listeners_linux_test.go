// SPDX-License-Identifier: Apache-2.0

package control

import (
	"slices"
	"testing"
)

func TestOnlySocketsThatListenAtAPortAreItsListeners(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31 1 0000000000000000 100 0 0 10 0
   1: 0100007F:280A 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 32 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 33 1 0 100 0 0 10 0
   3: 0100007F:280B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34 1 0000000000000000 100 0 0 10 0
junk
`
	if got := listeners(table, "280A"); !slices.Equal(got, []listener{{"1000", "31"}, {"0", "33"}}) {
		t.Errorf("got %v", got)
	}
}

func TestAProgramIsKubernetesByItsFileOrItsUnit(t *testing.T) {
	for name, tc := range map[string]struct {
		program, cgroup string
		want            bool
	}{
		"a kubelet":                            {"/usr/bin/kubelet", "0::/system.slice/kubelet.service", true},
		"one that was replaced while it runs":  {"/usr/bin/kubelet (deleted)", "0::/", true},
		"one of another name, by its unit":     {"/opt/k8s/node", "0::/system.slice/kubelet.service", true},
		"an API server of a static pod":        {"/usr/local/bin/kube-apiserver", "0::/kubepods.slice/x", true},
		"what a pod runs":                      {"/bin/x", "1:name=systemd:/kubepods/burstable/pod1/c", true},
		"a monitoring agent":                   {"/usr/bin/agent", "0::/system.slice/agent.service", false},
		"one whose name only begins as theirs": {"/usr/bin/kubelet-exporter", "0::/system.slice/kubelet-exporter.service", false},
	} {
		if got := isKubernetes(tc.program, tc.cgroup); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
