// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// An operator of the cluster's may have made the container runtime run a program of its own:
// it would start each pod of the next cluster, as root.
func TestAHandlerOfTheRuntimeThatCameWithTheClusterIsNamed(t *testing.T) {
	const config = "/etc/containerd/config.toml"
	for name, tc := range map[string]struct {
		older, path, younger string
		but                  []string
	}{
		"put on the host since": {
			path: config, younger: "BinaryName = \"/usr/local/nvidia/toolkit/nvidia-container-runtime\"", but: []string{"file " + config},
		},
		"of another name": {
			path: config, younger: "runtime_path = '/usr/local/nvidia/toolkit/nvidia-container-runtime'", but: []string{"file " + config},
		},
		"gone": {path: config, younger: "  BinaryName = \"/opt/kata/bin/kata\"", but: []string{"file " + config}},
		"a snapshotter's socket that is gone": {
			path: config, younger: "[proxy_plugins.stargz]\naddress = \"/run/stargz/grpc.sock\"", but: []string{"file " + config},
		},
		"docker's": {
			path: "/etc/docker/daemon.json", younger: `{"runtimes": {"x": {
"path": "/usr/local/nvidia/toolkit/nvidia-container-runtime"}}}`, but: []string{"file /etc/docker/daemon.json"},
		},
		"an administrator's, older than the join": {
			older: "cp /bin/true usr/bin/runc-own", path: config, younger: "BinaryName = \"/usr/bin/runc-own\"",
		},
		"a plugin that never ran": {
			older: "mkdir -p etc/containerd; " +
				"printf '[proxy_plugins.x]\\naddress = \"/run/x.sock\"\\nBinaryName = \"/opt/none\"\\n' > etc/containerd/config.toml",
		},
		"one that is looked for in PATH": {path: config, younger: "BinaryName = \"runc\""},
		"a socket that is no plugin's":   {path: config, younger: "[grpc]\naddress = \"/run/own.sock\""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("mkdir -p usr/bin usr/local; " + tc.older + "\nborn; old")
				w.join()
				w.script("mkdir -p usr/local/nvidia/toolkit; cp /bin/true usr/local/nvidia/toolkit/nvidia-container-runtime")
				if tc.path != "" {
					w.put(tc.path, tc.younger)
				}
				verdict := w.remove()
				if diff := cmp.Diff(tc.but, names(verdict.But)); diff != "" || verdict.State == inventory.Dirty {
					w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
				}
			})
		})
	}
}

// Installers write the endpoint's name into /etc/hosts of every node (labring/sealos#723): a
// join by that name would go to the cluster that the host has left.
func TestTheEndpointsNameInHostsIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p etc; echo '192.0.2.200 apiserver.cluster.local' > etc/hosts; born; old")
		w.join()
		w.put("/etc/kubernetes/kubelet.conf", "    server: https://apiserver.cluster.local:6443")
		if diff := cmp.Diff([]string{"file /etc/hosts"}, names(w.remove().But)); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
	})
}
