// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Where the signs of a join contradict each other, nothing is younger or older than it: what only
// its age could give an owner stays and is named, also on a second run, which finds no sign any more.
func TestWhereTheJoinsSignsContradictEachOtherNothingGoesByItsAge(t *testing.T) {
	const files = "etc/kubernetes/pki/ca.crt etc/kubernetes/kubelet.conf var/lib/kubelet/config.yaml var/lib/kubelet/kubeadm-flags.env"
	for name, contradiction := range map[string]string{
		"restored with its times":                "touch -d '2 days ago' " + files,
		"restored, and upgraded since":           "touch -d '2 days ago' etc/kubernetes/kubelet.conf",
		"restored without its times":             "touch var/lib/kubelet/pki/kubelet-client-2020-01-01-00-00-00.pem",
		"its serving certificate alone tells so": "touch var/lib/kubelet/pki/kubelet-server-2020-01-01-00-00-00.pem",
		"the Node is older":                      "",
		"a clone with an id of its own":          "echo 0123 > etc/machine-id; touch -d 'now + 1 hour' etc/machine-id",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				if contradiction == "" {
					w.registered = time.Now().Add(-time.Hour)
				}
				w.script(contradiction + `
mkdir -p var/lib/weave; echo db > var/lib/weave/mine.db; echo > opt/cni/bin/antrea
echo 'kind: Pod' > etc/kubernetes/manifests/mine.yaml; echo key > etc/kubernetes/pki/corp.key; mkdir -p etc/systemd/logind.conf.d
printf '# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=60\n' > etc/systemd/logind.conf.d/99-kubelet.conf
mkdir -p usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds`)
				for range 2 {
					verdict := w.remove()
					for _, path := range []string{"/var/lib/weave", "/opt/cni/bin/antrea", "/etc/kubernetes/manifests/mine.yaml",
						"/etc/kubernetes/pki/corp.key", "/etc/systemd/logind.conf.d/99-kubelet.conf",
						"/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds"} {
						named := slices.ContainsFunc(verdict.But, func(it inventory.Item) bool {
							return strings.HasPrefix(it.Name, path) && (strings.Contains(it.Refers, "since ") || strings.HasSuffix(path, ".key"))
						})
						if !w.exists(path) || !named {
							w.Errorf("%s: there %v, named %v", path, w.exists(path), named)
						}
					}
					if verdict.State != inventory.CleanBut || w.exists("/etc/kubernetes/kubelet.conf") {
						w.Errorf("verdict %s, remaining %v", verdict.State, verdict.Remaining)
					}
				}
			})
		})
	}
}

// A network's plugin of which nothing tells when it came is named: kubeadm reset takes along what
// dates the join, and leaves the plugin (cmd/kubeadm/app/cmd/phases/reset/cleanupnode.go).
func TestAPluginThatStaysAfterAResetByHandIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(reset + "; rm -rf etc/kubernetes/pki")
		if verdict := w.remove(); !w.exists("/opt/cni/bin/flannel") || !slices.Contains(but(verdict), "/opt/cni/bin/flannel") {
			w.Errorf("verdict %s, but %v", verdict.State, verdict.But)
		}
	})
}
