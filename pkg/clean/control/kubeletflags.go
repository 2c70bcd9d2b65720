// SPDX-License-Identifier: Apache-2.0

package control

import (
	"regexp"
	"slices"
	"strings"
)

// clusterFlags finds, in a file of environment variables or a drop-in of systemd's,
// the flags of a kubelet that hold for one cluster, or for a node's place in it. They
// stay with the host, and the next cluster gets them, too: a DNS address that does
// not exist there, labels of another pool. Sorted, each as it is written.
func clusterFlags(text string) []string {
	// A flag ends at white space; its value may be quoted.
	flag := regexp.MustCompile(`(?:^|[\s"'=])--(cluster-dns|cluster-domain|node-labels|node-ip|cloud-provider|cloud-config|provider-id|` +
		`root-dir|hostname-override|register-with-taints|pod-cidr|kubeconfig)(?:=|[ \t]+)([^\s"'\\]+)`)
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		for _, found := range flag.FindAllStringSubmatch(line, -1) {
			// kubeadm's own drop-in names its kubeconfig, which is the same everywhere.
			if found[1] == "kubeconfig" && found[2] == "/etc/kubernetes/kubelet.conf" {
				continue
			}
			out = append(out, "--"+found[1]+"="+found[2])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
