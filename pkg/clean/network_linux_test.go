// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// scoped is this node for one network alone.
func (w *world) scoped(owner inventory.Owner) clean.Target {
	t := w.target()
	t.Scope = inventory.Scope{Owner: owner}
	return t
}

// takeNetwork takes one network away, and says how it went.
func (w *world) takeNetwork(owner inventory.Owner) inventory.Verdict {
	w.Helper()
	t := w.scoped(owner)
	before, err := t.Survey(w.Context())
	hosttest.Must(w.T, err)
	if len(before.Ours()) == 0 {
		w.Errorf("nothing of %s is found", owner)
	}
	for _, it := range before.Ours() {
		if it.Owner != owner && it.Owner != inventory.CNIPlugins {
			w.Errorf("%s of %s goes", it, it.Owner)
		}
	}
	_, err = t.NetworkRecipe(false).Run(w.Context(), nil)
	hosttest.Must(w.T, err)
	after, err := t.Survey(w.Context())
	hosttest.Must(w.T, err)
	return inventory.Verify(before, after)
}

// A second network on a node of flannel's goes, and the kubelet, kube-proxy, flannel, their
// pods and all that is foreign stay as they are.
func TestANetworkGoesOffAHostThatStaysANodeOfAnother(t *testing.T) {
	for owner, left := range map[inventory.Owner]string{inventory.Cilium: ciliumLeft, inventory.Calico: calicoLeft} {
		t.Run(string(owner), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(firewalls + "ip6tables-nft -t raw -S >/dev/null; iptables-nft -t raw -S >/dev/null; iptables-legacy -t raw -S > /dev/null")
				w.join()
				before := w.dump()
				w.script(left)
				if verdict := w.takeNetwork(owner); verdict.State != inventory.Clean {
					w.Errorf("verdict: %+v", verdict)
				}
				w.same(before)
				if again := w.scoped(owner); len(goes(w, again)) > 0 {
					w.Errorf("a second look finds %v", goes(w, again))
				}
			})
		})
	}
}

func goes(w *world, t clean.Target) []inventory.Item {
	inv, err := t.Survey(w.Context())
	hosttest.Must(w.T, err)
	return inv.Ours()
}

// Flannel goes, and a second network with chains and links of its own stays, with what the
// standard plugins have made for it.
func TestFlannelGoesOffAHostThatStaysANode(t *testing.T) {
	const portmap = `
iptables-nft -t nat -N CNI-HOSTPORT-DNAT; iptables-nft -t nat -N CNI-DN-0123456789abcdef01234
iptables-nft -t nat -A CNI-HOSTPORT-DNAT -m comment --comment 'dnat name: "k8s-pod-network" id: "abc"' -j CNI-DN-0123456789abcdef01234
iptables-nft -t nat -A CNI-DN-0123456789abcdef01234 -p tcp -j ACCEPT
iptables-nft -t nat -A PREROUTING -j CNI-HOSTPORT-DNAT
echo > var/lib/cni/results/k8s-pod-network-def-eth0; echo > var/lib/cni/results/cni-loopback-abc-lo`
	for name, tc := range map[string]struct {
		beside string
		// stays is what of flannel's cannot be told from the other's.
		stays string
	}{
		"alone":         {"", ""},
		"beside Calico": {calicoLeft + portmap, "10.244.2.0/24 via 192.0.2.11"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.beside)
				before := w.dump()
				w.script(flannelLeft)
				if verdict := w.takeNetwork(inventory.Flannel); verdict.State != inventory.Clean {
					w.Errorf("verdict: %+v", verdict)
				}
				w.onlyFlannelIsGone(before, tc.stays)
				w.gone("/run/flannel", "/var/lib/cni/flannel", "/var/lib/cni/networks/cbr0", "/etc/cni/net.d/10-flannel.conflist",
					"/opt/cni/bin/flannel")
				w.kept("/etc/cni/net.d", "/etc/cni/net.d/87-podman.conflist", "/var/lib/cni/networks/podman", "/var/lib/kubelet/pki/kubelet.key",
					"/etc/kubernetes/kubelet.conf", "/var/log/pods/ns_web_u1/app/0.log")
				if slices.Contains(w.ran, "stop") || w.active != "active" {
					w.Errorf("the kubelet was touched: %v", w.ran)
				}
			})
		})
	}
}

// onlyFlannelIsGone compares the host with what it was: what is not there any more was
// flannel's, and nothing came.
func (w *world) onlyFlannelIsGone(before, stays string) {
	w.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(w.dump(), "\n")
	flannels := regexp.MustCompile(`flannel|FLANNEL|cni0|veth0a|cbr0|10\.244\.2\.0/24 via 192\.0\.2\.11`)
	for _, line := range was {
		if !slices.Contains(is, line) && !flannels.MatchString(line) {
			w.Errorf("- %s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			w.Errorf("+ %s", line)
		}
		if flannels.MatchString(line) && (stays == "" || !strings.Contains(line, stays)) {
			w.Errorf("left: %s", line)
		}
	}
}

func (w *world) gone(paths ...string) {
	w.Helper()
	for _, path := range paths {
		if w.exists(path) {
			w.Errorf("%s is still there", path)
		}
	}
}

func (w *world) kept(paths ...string) {
	w.Helper()
	for _, path := range paths {
		if !w.exists(path) {
			w.Errorf("%s is gone", path)
		}
	}
}

func TestAHostSaysWhichPodsRunInANetwork(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.runtime.Start(critest.Pod{Name: "other"}, critest.Pod{Name: "kube-flannel-ds-x1", HostNetwork: true})
		ids := map[string]string{}
		inv := w.survey()
		for _, it := range inv.Items {
			if it.Kind == inventory.KindSandbox {
				ids[it.Name[strings.Index(it.Name, "/")+1:]] = it.ID
			}
		}
		w.script("echo > var/lib/cni/results/k8s-pod-network-" + ids["other"] + "-eth0; echo > var/lib/cni/results/cni-loopback-" +
			ids["web"] + "-lo; echo > var/lib/cni/results/cbr0-" + ids["web"] + "-eth0")
		space := w.sandboxNamespace(inv)
		users, err := w.scoped(inventory.Flannel).Users(w.Context(), []string{space + "/kube-flannel-ds-"})
		hosttest.Must(w.T, err)
		if want := []string{space + "/web"}; !slices.Equal(users.Pods, want) {
			w.Errorf("pods %v, want %v", users.Pods, want)
		}
		if want := []string{space + "/kube-flannel-ds-x1"}; !slices.Equal(users.Agents, want) {
			w.Errorf("agents %v, want %v", users.Agents, want)
		}
		before := w.dump()
		_, err = w.scoped(inventory.Flannel).NetworkRecipe(true).Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), space+"/web") || !w.exists("/run/flannel") {
			w.Errorf("a network that pods run in goes: %v", err)
		}
		w.gone("/etc/cni/net.d/10-flannel.conflist")
		w.script("echo > etc/cni/net.d/10-flannel.conflist")
		if now := w.dump(); now != before {
			w.same(before)
		}
		// One that waits for the next network keeps nothing.
		_, err = w.scoped(inventory.Flannel).NetworkRecipe(true, space+"/web").Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		w.gone("/run/flannel", "/etc/cni/net.d/10-flannel.conflist")
	})
}

func (w *world) sandboxNamespace(inv inventory.Inventory) string {
	for _, it := range inv.Items {
		if it.Kind == inventory.KindSandbox {
			space, _, _ := strings.Cut(it.Name, "/")
			return space
		}
	}
	w.Fatal("no sandbox")
	return ""
}

// Killed after any step, it finishes when it is run again.
func TestANetworkThatWasHalfTakenGoesWhole(t *testing.T) {
	for _, stop := range []int{1, 4, 6, 8, 9} {
		t.Run(fmt.Sprintf("after %d steps", stop), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(flannelLeft)
				p := w.scoped(inventory.Flannel).NetworkRecipe(false)
				p.Steps = p.Steps[:stop]
				_, err := p.Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				if len(goes(w, w.scoped(inventory.Flannel))) == 0 {
					w.Error("nothing is left to do")
				}
				_, err = w.scoped(inventory.Flannel).NetworkRecipe(false).Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				w.gone("/run/flannel", "/etc/cni/net.d/10-flannel.conflist")
				if left := w.script(`nft list ruleset 2>/dev/null | grep -i flannel || true; iptables-legacy-save 2>/dev/null | grep -i flannel || true
					ip link | grep -E 'flannel|cni0' || true; ip route | grep 'via 192.0.2.11' || true`); left != "" {
					w.Errorf("left: %s", left)
				}
			})
		})
	}
}

// kube-proxy's rules of one mode go, and nothing of the network's or the kubelet's.
func TestOnlyKubeProxysRulesGo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		before := w.dump()
		_, err := w.scoped(inventory.KubeProxy).NetworkRecipe(false).Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		is := strings.Split(w.dump(), "\n")
		proxys := regexp.MustCompile(`kube-proxy|KUBE-(SERVICES|SVC-|FORWARD)|services|chain (PREROUTING|OUTPUT) \{|type nat hook|table ip6 nat`)
		for _, line := range strings.Split(before, "\n") {
			if !slices.Contains(is, line) && !proxys.MatchString(line) {
				w.Errorf("- %s", line)
			}
		}
		left := w.script("nft list ruleset 2>/dev/null | grep -E 'KUBE-SVC|KUBE-FORWARD|kube-proxy' || true; " +
			"iptables-legacy-save 2>/dev/null | grep KUBE-SVC || true")
		if left != "" {
			w.Errorf("left: %s", left)
		}
		if kept := w.script("iptables-nft -S | grep -c 'KUBE-FIREWALL'"); strings.TrimSpace(kept) == "0" {
			w.Error("the kubelet's chain is gone")
		}
	})
}

func TestAHostIsNotCleanedOfWhatNothingIsKnownOf(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		before := w.dump()
		for _, owner := range []inventory.Owner{inventory.Kubelet, inventory.Foreign, "", "mine"} {
			if _, err := w.scoped(owner).NetworkRecipe(false).Run(w.Context(), nil); err == nil {
				w.Errorf("%q: no error", owner)
			}
		}
		w.same(before)
	})
}

// A configuration that stays may be the network of the pods by now: its bridge and the
// routes that a person has made for it are not flannel's, although pods' addresses are there.
func TestABridgeThatAnotherConfigurationUsesStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(flannelLeft)
		before := goes(w, w.scoped(inventory.Flannel))
		w.script(`echo '{"name":"mine","plugins":[{"type":"bridge","ipam":{"type":"host-local"}}]}' > etc/cni/net.d/20-mine.conflist`)
		after := goes(w, w.scoped(inventory.Flannel))
		is := func(part string) func(inventory.Item) bool {
			return func(it inventory.Item) bool {
				return (it.Kind == inventory.KindLink || it.Kind == inventory.KindRoute) && strings.Contains(it.Name, part)
			}
		}
		for _, part := range []string{"cni0", "veth0a", "via 192.0.2.11"} {
			if !slices.ContainsFunc(before, is(part)) || slices.ContainsFunc(after, is(part)) {
				w.Errorf("%s: before %v, after %v", part, before, after)
			}
		}
		if !slices.ContainsFunc(after, is("flannel-v6.1")) {
			w.Errorf("flannel's own link stays: %v", after)
		}
	})
}

// What a network has set in the kernel is told while a sign of it is there, and of no
// other network.
func TestWhatANetworkHasSetInTheKernelIsTold(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(ciliumLeft + `
			mkdir -p proc/sys/net/ipv4/conf/all; echo 0 > proc/sys/net/ipv4/conf/all/rp_filter
			echo 1 > proc/sys/net/ipv4/fib_multipath_use_neigh; echo 1 > proc/sys/net/ipv4/ip_forward`)
		told := func(owner inventory.Owner) (names []string) {
			inv, err := w.scoped(owner).Survey(w.Context())
			hosttest.Must(w.T, err)
			for _, it := range inv.With(inventory.Harmless) {
				if it.Kind == inventory.KindSysctl {
					names = append(names, it.Name)
				}
			}
			return names
		}
		if got := told(inventory.Cilium); !slices.Contains(got, "net.ipv4.conf.all.rp_filter") ||
			!slices.Contains(got, "net.ipv4.fib_multipath_use_neigh") || slices.Contains(got, "net.ipv4.ip_forward") {
			w.Errorf("of Cilium is told: %v", got)
		}
		if got := told(inventory.Flannel); len(got) > 0 {
			w.Errorf("of flannel is told: %v", got)
		}
	})
}
