// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestWhatIsProvablyAKubelets(t *testing.T) {
	const file, dir, socket, link = fs.FileMode(0), fs.ModeDir, fs.ModeSocket, fs.ModeSymlink
	for _, tc := range []struct {
		in, entry string
		mode      fs.FileMode
		want      bool
	}{
		{"pods", "07dfd327-e552-f4b0-f8ca-1f55768773a0", dir, true},
		{"pods", "d41d8cd98f00b204e9800998ecf8427e", dir, true},
		{"pods", "07dfd327-e552-f4b0-f8ca-1f55768773a0", file, false},
		{"pods", "lost+found", dir, false},
		{"pods", "backup", dir, false},
		{"plugins", "kubernetes.io", dir, true},
		{"plugins", "ebs.csi.aws.com", dir, true},
		{"plugins", "data", dir, false},
		{"plugins", "notes.txt", file, false},
		{"plugins_registry", "ebs.csi.aws.com-reg.sock", socket, true},
		{"plugins_registry", "readme", file, false},
		{"device-plugins", "kubelet_internal_checkpoint", file, true},
		{"checkpoints", "checkpoint-web_ns-c-2026.tar", file, true},
		{"checkpoints", "mine.tar", file, false},
		{"image_manager", "pulled", dir, true},
		{"cpu_manager_state", "x", file, false},
		{inventory.PodLogsDir, "kube-system_coredns-1.x_07dfd327-e552-f4b0-f8ca-1f55768773a0", dir, true},
		{inventory.PodLogsDir, "kube-system_etcd-cp1_d41d8cd98f00b204e9800998ecf8427e", dir, true},
		{inventory.PodLogsDir, "a_b_07dfd327-e552-f4b0-f8ca-1f55768773a0", link, false},
		{inventory.PodLogsDir, "07dfd327-e552-f4b0-f8ca-1f55768773a0", dir, false},
		{inventory.PodLogsDir, "a_b_07dfd327-e552-f4b0-f8ca-1f55768773a0.bak", dir, false},
		{inventory.PodLogsDir, "a_b_c", dir, false},
		{inventory.ContainerLogsDir, "web.x_ns_app-" + strings.Repeat("0a", 32) + ".log", link, true},
		{inventory.ContainerLogsDir, "web.x_ns_app-" + strings.Repeat("0a", 32) + ".log", file, false},
		{inventory.ContainerLogsDir, "app.log", link, false},
	} {
		if got := madeBy(tc.in)(tc.entry, tc.mode); got != tc.want {
			t.Errorf("%s/%s (%s): %v", tc.in, tc.entry, tc.mode, got)
		}
	}
	for name, want := range map[string][2]bool{"pods": {true, true}, "config.json": {}, "seccomp": {}, ".123": {false, true}, ".a1": {},
		"containers": {}} {
		if got := [2]bool{ofKubelet(name, false), ofKubelet(name, true)}; got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
