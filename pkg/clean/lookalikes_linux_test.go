// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// podmans is a network namespace that podman 3 made, with a process in it, and theirs a
// result of a network of nerdctl's.
const (
	podmans = "/run/netns/cni-aaaaaaaa-4462-81d6-4164-b6aff4998624"
	theirs  = "/var/lib/cni/results/cilium-lab-0123456789abcdef-eth0"
)

// lookAlikes are chains and rules of administrators' whose names begin as networks' own do.
const lookAlikes = `*filter
:OVN-ALLOW - [0:0]
:WEAVE-OFFICE - [0:0]
:cali-vpn - [0:0]
:CILIUM_MINE - [0:0]
:ANTREA-X - [0:0]
:KUBE-ROUTER-MINE - [0:0]
:KUBE-POD-FW-OFFICE - [0:0]
:CNI-FORWARD - [0:0]
:CNI-ADMIN - [0:0]
-A INPUT -p tcp --dport 22 -j OVN-ALLOW
-A INPUT -p tcp --dport 23 -j WEAVE-OFFICE
-A INPUT -p tcp --dport 24 -j cali-vpn
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A OVN-ALLOW -p tcp --sport 4022 -j ACCEPT
-A cali-vpn -i tun0 -j ACCEPT
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
-A CNI-ADMIN -p tcp --dport 25 -j DROP
COMMIT`

// genuine are the chains of networks by their sources, one of each form.
func genuine() []string {
	return []string{"OVN-POSTROUTING", "OVN-NAT-PSUBNET-0123456789ab", "WEAVE-NPC", "WEAVE-EXPOSE",
		"cali-FORWARD", "cali-pi-_7oSjTgHCAUFiFhZZ0Ju",
		"CILIUM_OUTPUT_raw", "ANTREA-OUTPUT", "ANTREA-POL-12619C0214FB0845", "KUBE-ROUTER-INPUT", "KUBE-POD-FW-2VLSJHRZPQXZJEHY",
		"KUBE-NWPLCY-DEFAULT", "FLANNEL-POSTRTG"}
}

// lookAlikeSets are those of administrators, and genuineSets those of networks.
func lookAlikeSets() []string {
	return []string{"felix-office", "weave-allow", "kube-router-x", "ovn40allow", "ANTREA-BLOCKED"}
}

func genuineSets() []string {
	return []string{"cali40masq-ipam-pools", "weave-local-pods", "kube-router-node-ips", "ovn40subnets", "ANTREA-POD-IP"}
}

// administered makes the host one on which administrators have all of these.
func (w *world) administered() {
	w.Helper()
	// No other network uses the plugins: what shares their chains stays anyway.
	w.script("rm -r etc/cni/net.d/87-podman.conflist var/lib/cni/networks/podman; mkdir -p var/lib/cni/results; echo '{}' > ." + theirs +
		"; rules '" + lookAlikes + "'; for t in mangle nat raw; do iptables-legacy -t $t -S > /dev/null; done")
	w.namespace(podmans)
	for _, set := range lookAlikeSets() {
		hosttest.Must(w.T, netlink.IpsetCreate(set, "hash:ip", netlink.IpsetCreateOptions{}))
	}
}

// sets are the names of the ip sets that are there.
func (w *world) sets() []string {
	w.Helper()
	all, err := netlink.IpsetListAll()
	hosttest.Must(w.T, err)
	var out []string
	for _, set := range all {
		out = append(out, set.SetName)
	}
	return out
}

// but are the names of what a verdict names, each once: chains are in every backend.
func but(v inventory.Verdict) []string {
	var out []string
	for _, it := range v.But {
		out = append(out, it.Name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestWhatIsOnlyNamedAsANetworksStaysAsItIsAndTheVerdictNamesIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.administered()
		before, sets := w.dump(), w.sets()
		w.join()
		verdict := w.remove()
		want := append([]string{podmans, "OVN-ALLOW", "WEAVE-OFFICE", "cali-vpn", "CILIUM_MINE", "ANTREA-X", "KUBE-ROUTER-MINE",
			"KUBE-POD-FW-OFFICE", "CNI-ADMIN"}, lookAlikeSets()...)
		slices.Sort(want)
		if diff := cmp.Diff(want, but(verdict)); diff != "" || verdict.State != inventory.CleanBut || len(verdict.Lost)+len(verdict.Changed) > 0 {
			t.Errorf("verdict %s, lost %v, changed %v (-want +got):\n%s", verdict.State, verdict.Lost, verdict.Changed, diff)
		}
		if diff := cmp.Diff(sets, w.sets()); diff != "" {
			t.Errorf("ip sets (-want +got):\n%s", diff)
		}
		w.same(before)
	})
}

func TestWhatNetworksNameGoesFromBesideWhatIsOnlyAlike(t *testing.T) {
	inWorld(t, func(w *world) {
		w.administered()
		w.join()
		// Of each of these networks something else is here than names in the kernel.
		w.script("mkdir -p run/calico run/cilium run/antrea var/lib/kube-router var/lib/weave; " +
			`echo '{"name":"kube-ovn","plugins":[{"type":"kube-ovn"}]}' > etc/cni/net.d/01-kube-ovn.conflist`)
		w.script("for i in iptables-nft iptables-legacy ip6tables-nft; do for c in '" + strings.Join(genuine(), "' '") +
			"'; do $i -N $c; $i -A $c -j RETURN; $i -A OUTPUT -j $c; done; done; iptables-nft -A CNI-FORWARD -s 10.244.1.2/32 -j ACCEPT")
		for _, set := range genuineSets() {
			hosttest.Must(t, netlink.IpsetCreate(set, "hash:ip", netlink.IpsetCreateOptions{}))
		}
		verdict := w.remove()
		// What a network deletes by itself is its own where it is.
		want := []string{podmans, "ANTREA-BLOCKED", "ANTREA-X", "CILIUM_MINE", "CNI-ADMIN", "KUBE-ROUTER-MINE", "OVN-ALLOW", "WEAVE-OFFICE",
			"felix-office", "kube-router-x"}
		if diff := cmp.Diff(want, but(verdict)); diff != "" || verdict.State != inventory.CleanBut || len(verdict.Lost)+len(verdict.Changed) > 0 {
			t.Errorf("verdict %s, lost %v, changed %v (-want +got):\n%s", verdict.State, verdict.Lost, verdict.Changed, diff)
		}
		left := w.script("iptables-nft -S; iptables-legacy -S; ip6tables-nft -S")
		for _, chain := range append(genuine(), "cali-vpn", "10.244.1.2") {
			if strings.Contains(left, chain) {
				t.Errorf("%s is left", chain)
			}
		}
		for _, rule := range []string{"-A INPUT -p tcp -m tcp --dport 22 -j OVN-ALLOW", "-A OVN-ALLOW -p tcp -m tcp --sport 4022 -j ACCEPT",
			"-A CNI-FORWARD -m comment --comment \"CNI firewall plugin admin overrides\" -j CNI-ADMIN",
			"-A CNI-ADMIN -p tcp -m tcp --dport 25 -j DROP"} {
			if strings.Count(left, rule) != 3 {
				t.Errorf("%s is gone from a backend:\n%s", rule, left)
			}
		}
		for _, set := range w.sets() {
			if slices.Contains(genuineSets(), set) {
				t.Errorf("ip set %s is left", set)
			}
		}
		w.kept(theirs)
	})
}

// namespace makes a network namespace with a name and a process in it.
func (w *world) namespace(path string) *exec.Cmd {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	hosttest.Must(w.T, cmd.Start())
	w.script(fmt.Sprintf("touch .%[1]s; mount --bind /proc/%[2]d/ns/net .%[1]s", path, cmd.Process.Pid))
	return cmd
}

func TestANetworkNamespaceIsAPodsByASecondSign(t *testing.T) {
	for name, tc := range map[string]struct {
		plant string
		gone  bool
	}{
		"its name alone": {"true", false},
		"a result of a pod network": {`echo '{"networkName":"cbr0","result":{"interfaces":[{"sandbox":"/var` + podmans +
			`"}]}}' > var/lib/cni/results/cbr0-def-eth0`, true},
		"a result of another network": {`echo '{"networkName":"podman","result":{"interfaces":[{"sandbox":"/var` + podmans +
			`"}]}}' > var/lib/cni/results/podman-def-eth0`, false},
		"a sandbox's bundle": {bundle(`"io.kubernetes.cri.container-type":"sandbox"`), true},
		"a bundle of a person's container beside the pods'": {bundle(`"nerdctl/name":"mine"`), false},
		"what an earlier step has written down":             {`mkdir -p state; echo '["` + podmans + `"]' > state/network-namespaces.json`, true},
		"the runtime":                                       {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				process := w.namespace(podmans)
				_, _ = process.Process.Kill(), process.Wait() // its name keeps it; a pod's process ends with the pod
				if w.script(tc.plant); tc.plant == "" {
					w.runtime.Start(critest.Pod{Name: "other", NetNS: "/var" + podmans})
				}
				verdict := w.remove()
				state, named := inventory.CleanBut, []string{"netns " + podmans}
				if tc.gone {
					state, named = inventory.Clean, nil
				}
				if diff := cmp.Diff(named, names(verdict.But)); diff != "" || verdict.State != state || w.exists(podmans) == tc.gone {
					t.Errorf("verdict %s, there: %v (-want +got):\n%s", verdict.State, w.exists(podmans), diff)
				}
				if w.exists("/run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624") {
					t.Error("a pod's network namespace is left")
				}
			})
		})
	}
}

func bundle(mark string) string {
	const dir = "run/containerd/io.containerd.runtime.v2.task/k8s.io/def"
	return "mkdir -p " + dir + `; echo '{"annotations":{` + mark + `},"linux":{"namespaces":[{"type":"pid"},` +
		`{"type":"network","path":"/var` + podmans + `"}]}}' > ` + dir + "/config.json"
}
