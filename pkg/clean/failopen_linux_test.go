// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// tooManyConfs makes a directory one that cannot be listed to its end, whoever asks: there
// are more files in it than anybody reads.
const tooManyConfs = `cd etc/cni/net.d; for i in $(seq 300); do echo '{}' > $i.txt; done; cd ../../..`

// Whose the chains of the standard plugins are, nobody knows where the networks of this
// host cannot be read: they stay, and the host is not called clean.
func TestWhatCannotBeReadIsNobodysProof(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("rm -r var/lib/cni/networks/podman")
		w.join()
		w.script(tooManyConfs + `
			iptables-nft -N CNI-FORWARD; iptables-nft -N CNI-ADMIN; iptables-nft -A FORWARD -j CNI-FORWARD
iptables-nft -A CNI-FORWARD -s 10.88.0.7 -j ACCEPT
			nft add table inet cni_plugins_masquerade; nft add chain inet cni_plugins_masquerade mine
			ip link add kube-bridge type bridge; ip addr add 10.88.0.1/16 dev cni0
			echo '{"name":"theirs","type":"bridge","bridge":"cni0"}' > etc/cni/net.d/20-theirs.conf`)
		_, err := w.target().Recipe().Run(w.Context(), nil)
		if rules := w.script("nft list ruleset"); strings.Count(rules, "10.88.0.7") != 1 || !strings.Contains(rules, "cni_plugins_masquerade") {
			w.Errorf("rules of others are gone: %v\n%s", err, rules)
		}
		if links := w.script("ip -o link"); !strings.Contains(links, " cni0:") {
			w.Errorf("the bridge of another network is gone: %v\n%s", err, links)
		}
	})
}

// An administrator's mount of which nothing tells that it is one would be unmounted.
func TestWhereMountsAreWrittenDownMustBeReadable(t *testing.T) {
	for name, plant := range map[string]string{
		"a large fstab": "yes '# x' | head -c 2000000 > etc/fstab",
		"a large unit":  "yes '# x' | head -c 2000000 > etc/systemd/system/var-lib-kubelet-pods.mount",
		"an automount unit, by a link": "yes '# x' | head -c 2000000 > srv/x.automount; ln -s ../../../srv/x.automount " +
			"etc/systemd/system/x.automount",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(plant)
				before := w.dump()
				_, err := w.target().Recipe().Run(w.Context(), nil)
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(fmt.Sprint(err), "administrator's") ||
					plan.HintOf(err) == "" || len(w.ran) > 0 {
					w.Errorf("got %v, ran %v", err, w.ran)
				}
				w.same(before)
			})
		})
	}
}

// A package manager that does not answer has not said that a plugin is nobody's.
func TestAPackageManagerThatFailsProvesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		for command, stays := range map[string]bool{
			"exit 1": false, "echo 'x is not owned by any package'; exit 1": false,
			"exit 2": true, "echo error: cannot open Packages >&2; exit 1": true, "kill -9 $$": true, "echo kubernetes-cni; exit 0": true,
		} {
			t := w.target()
			t.Host.Exec = func(ctx context.Context, cmd host.Command) (string, error) {
				switch {
				case cmd.Name == "which" && cmd.Args[0] == "dpkg-query":
					return "", nil
				case cmd.Name == "dpkg-query":
					return host.Local{}.Run(ctx, host.Command{Name: "sh", Args: []string{"-c", command}})
				}
				return w.exec(ctx, cmd)
			}
			inv, err := t.Survey(w.Context())
			at := slices.IndexFunc(inv.Items, func(it inventory.Item) bool { return it.Name == "/opt/cni/bin/flannel" })
			if err != nil || at < 0 || (inv.Items[at].Fate == inventory.Stays) != stays {
				w.Errorf("%q: %v, %v", command, inv.Items, err)
			}
		}
	})
}

// Which cluster it was, kubeadm's own files tell, also where an administrator has made
// them links: else nothing that leads there would be found.
func TestWhichClusterItWasIsKnownBehindALink(t *testing.T) {
	for name, plant := range map[string]string{
		"a certificate that is a link": "mv etc/kubernetes/pki/ca.crt srv/ca.crt; ln -s ../../../srv/ca.crt etc/kubernetes/pki/ca.crt",
		"one that is only in a kubeconfig that is a link": "rm etc/kubernetes/pki/ca.crt; mv etc/kubernetes/kubelet.conf srv/x; ln -s " +
			"../../srv/x etc/kubernetes/kubelet.conf; echo '    certificate-authority-data: " +
			base64.StdEncoding.EncodeToString([]byte(clusterCA)) + "' >> srv/x",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("mkdir -p root/.kube; echo 'root:x:0:0::/root:/bin/sh' > etc/passwd")
				w.join()
				w.script(plant + "\nprintf %s '" + clusterCA + "' > root/.kube/config")
				verdict := w.remove()
				if verdict.State != inventory.CleanBut || !slices.ContainsFunc(verdict.But,
					func(it inventory.Item) bool { return it.Name == "/root/.kube/config" }) {
					w.Errorf("verdict: %+v", verdict)
				}
			})
		})
	}
}
