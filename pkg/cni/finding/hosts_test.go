// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// host is one that flannel works on, with changes.
func host(change func(*wire.HostNetwork)) func(*Input) {
	return func(in *Input) {
		h := wire.HostNetwork{Node: "a", ConfDir: "/etc/cni/net.d", BinDirs: []string{"/opt/cni/bin"}, BinMode: 0o755, Netfilter: true,
			Plugins: []string{"bridge", "flannel", "host-local", "loopback", "portmap"},
			Configs: []wire.NetConfig{{File: "10-flannel.conflist", Name: "cbr0", Types: []string{"flannel", "portmap"}}}}
		change(&h)
		in.Hosts = []wire.HostNetwork{h}
	}
}

// before is a host of a cluster without a network.
func before(network string, change func(*wire.HostNetwork)) func(*Input) {
	return func(in *Input) {
		wanted(network)(in)
		host(func(h *wire.HostNetwork) {
			h.Configs = nil
			change(h)
		})(in)
	}
}

func TestFindingsOfHosts(t *testing.T) {
	stale := []wire.NetConfig{{File: "05-antrea.conflist", Types: []string{"antrea"}}, {File: "10-flannel.conflist",
		Types: []string{"flannel"}}}
	for name, f := range map[string]fact{
		"a host that works":       {host(func(*wire.HostNetwork) {}), "", false, ""},
		"a host before a network": {before("flannel", func(*wire.HostNetwork) {}), "", false, ""},
		"a stale file sorts first": {host(func(h *wire.HostNetwork) { h.Configs = stale; h.Plugins = append(h.Plugins, "antrea") }),
			"CNI005 error", false, "the runtime takes /etc/cni/net.d/05-antrea.conflist (plugins antrea)"},
		"a file of another's, and the agent has not written its own yet": {func(in *Input) {
			host(func(h *wire.HostNetwork) {
				h.Configs = []wire.NetConfig{{File: "87-podman.conflist", Types: []string{"bridge"}}}
			})(in)
			agents(func(p *corev1.Pod) { p.Status.Conditions = nil; p.Status.ContainerStatuses = nil })(in)
		}, "", false, ""},
		"a file of another's, and the agent is ready without its own": {host(func(h *wire.HostNetwork) {
			h.Configs = []wire.NetConfig{{File: "87-podman.conflist", Types: []string{"bridge"}}}
		}), "CNI005 error", false, "87-podman.conflist"},
		"one will sort first": {before("flannel", func(h *wire.HostNetwork) { h.Configs = stale[:1]; h.Plugins = append(h.Plugins, "antrea") }),
			"CNI005 error", true, ""},
		"one that sorts later is in nobody's way": {before("flannel", func(h *wire.HostNetwork) {
			h.Configs = []wire.NetConfig{{File: "87-podman-bridge.conflist", Types: []string{"bridge"}}}
		}), "", false, ""},
		"a first one that is no configuration": {host(func(h *wire.HostNetwork) {
			h.Configs = append([]wire.NetConfig{{File: "00-x.conf", Bad: "not JSON"}}, h.Configs...)
		}), "CNI005 error", false, "00-x.conf (unreadable: not JSON)"},
		"no directory to watch": {before("flannel", func(h *wire.HostNetwork) { h.NoConfDir = true }), "CNI006 warning", false,
			"node a has no /etc/cni/net.d"},
		"it was removed under a network": {host(func(h *wire.HostNetwork) { h.NoConfDir, h.Configs = true, nil }), "CNI006 error", false, ""},
		"a program of the configuration is missing": {host(func(h *wire.HostNetwork) {
			h.Plugins = []string{"bridge", "host-local", "loopback", "portmap"}
		}), "CNI007 error", false, "flannel in /opt/cni/bin"},
		"reference plugins are missing": {before("flannel", func(h *wire.HostNetwork) { h.Plugins = nil }), "CNI008 error", true,
			"bridge, host-local, loopback"},
		"br_netfilter is missing": {host(func(h *wire.HostNetwork) { h.Netfilter = false }), "CNI008 error", false,
			"node a has not loaded br_netfilter"},
		"a network that does not need it": {before("cilium", func(h *wire.HostNetwork) { h.Netfilter = false }), "", false, ""},
		"Open vSwitch is missing":         {before("antrea", func(*wire.HostNetwork) {}), "CNI026 warning", false, "openvswitch"},
		"/opt/cni/bin is of another user": {before("cilium", func(h *wire.HostNetwork) { h.BinOwner = 997 }), "CNI023 error", true,
			"belongs to user 997"},
		"and of a network that runs": {host(func(h *wire.HostNetwork) { h.BinOwner = 997 }), "CNI023 warning", false, ""},
		"/opt/cni/bin is noexec":     {before("cilium", func(h *wire.HostNetwork) { h.BinNoExec = true }), "CNI023 error", true, "noexec"},
		"/opt/cni/bin is not to be written": {before("cilium", func(h *wire.HostNetwork) { h.BinMode = 0o555 }), "CNI023 error", true,
			"mode 555"},
		"a port is taken": {before("flannel", func(h *wire.HostNetwork) {
			h.Listeners = []wire.Listener{{Proto: "tcp", Port: 8081, Program: "nexus"}, {Proto: "udp", Port: 8081, Program: "other"}}
		}), "CNI028 error", true, "port 8081/tcp of node a is taken by nexus"},
		"its own agent has the port": {host(func(h *wire.HostNetwork) {
			h.Listeners = []wire.Listener{{Proto: "tcp", Port: 8081, Program: "flanneld"}}
		}), "", false, ""},
	} {
		t.Run(name, f.check)
	}
}

func TestTheMapMarksWhatOverlaps(t *testing.T) {
	spans := Map(input(func(in *Input) {
		in.Services.CIDRs = cnitest.CIDRs("172.18.0.0/16")
		in.Networks[0].Setting.Join = cnitest.CIDRs("100.64.0.0/16")
	}))
	var lines []string
	for _, s := range spans {
		lines = append(lines, s.What+" "+cidr.List(s.CIDRs)+" ["+strings.Join(s.Overlaps, ", ")+"]")
	}
	want := `pods 10.244.0.0/16 []
pool of flannel 10.244.0.0/16 []
join network of flannel 100.64.0.0/16 []
Services 172.18.0.0/16 [nodes, API server]
nodes 172.18.0.0/24 [Services]
API server 172.18.0.2/32 [Services]`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheServerIsReadWhereverItStands(t *testing.T) {
	for _, c := range [][3]string{
		{"10.0.0.1:6443", "", "10.0.0.1"}, {"10.0.0.1", "", "10.0.0.1"}, {"[fd00::1]:6443", "", "fd00::1"},
		{"", "https://10.0.0.2:6443", "10.0.0.2"}, {"k8s.example.com:6443", "https://10.0.0.2:6443", ""}, {"", "", ""}, {"", "://", ""},
	} {
		got := ""
		if a, ok := serverAddress(c[0], c[1]); ok {
			got = a.String()
		}
		if got != c[2] {
			t.Errorf("%q, %q: got %q", c[0], c[1], got)
		}
	}
}

func TestTheWayOutOfAConfigurationThatIsNotSeenIsTheOneForThatHost(t *testing.T) {
	for name, c := range map[string]struct {
		hosts []wire.HostNetwork
		want  string
		not   string
	}{
		"not looked at":    {nil, "cni status --look", ""},
		"the file is gone": {[]wire.HostNetwork{{Node: "a"}}, "have the agent of that node start again", "systemctl"},
		"the file is there": {[]wire.HostNetwork{{Node: "a", Configs: []wire.NetConfig{{File: "10-flannel.conflist"}}}},
			"systemctl restart containerd", "agent"},
		"no directory": {[]wire.HostNetwork{{Node: "a", NoConfDir: true}}, "systemctl restart containerd", "agent"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Input{Hosts: c.hosts}.whyUnseen("a")
			if !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A pod that is started before the network's agent says so for a while: that is no sign of another
// network (8 s after a join, say).
func TestWhatAKubeletSaidBeforeTheAgentWasReadyIsNoSignOfAnotherNetwork(t *testing.T) {
	ready := time.Now().Add(-time.Minute)
	was := func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(ready) }
	const words = "open /run/flannel/subnet.env: no such file or directory"
	for name, tc := range map[string]struct {
		agents [][]*corev1.Pod
		at     time.Time
		want   int
	}{
		"the agent is ready, and it is said still": {[][]*corev1.Pod{{cnitest.Agent("b", was)}}, ready.Add(time.Second), 1},
		"it was said before":                       {[][]*corev1.Pod{{cnitest.Agent("b", was)}}, ready.Add(-time.Second), 0},
		"when it was said is not known":            {[][]*corev1.Pod{{cnitest.Agent("b", was)}}, time.Time{}, 1},
		"the agent is not ready": {[][]*corev1.Pod{{cnitest.Agent("b", func(p *corev1.Pod) { p.Status.Conditions = nil })}},
			time.Now(), 0},
		"no agent is there yet":   {[][]*corev1.Pod{{cnitest.Agent("a", was)}}, time.Now(), 0},
		"no network has an agent": {nil, time.Now(), 1},
	} {
		in := Input{Sandboxes: []Sandbox{{Node: "b", Pod: "shop/web", Message: words, At: tc.at}}}
		in.Pods.Agents = tc.agents
		if got := failedSandboxes(in); len(got) != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAKubeletsWordsNameThePitfall(t *testing.T) {
	for message, want := range map[string]string{
		`plugin type="flannel" failed (add): failed to load flannel 'subnet.env' file: open /run/flannel/subnet.env`: "CNI005",
		"network is not ready: cni plugin not initialized":                                                           "CNI006",
		`failed to find plugin "flannel" in path [/opt/cni/bin]`:                                                     "CNI007",
		"no space left on device": "",
	} {
		id, cure, found := OfMessage(message)
		if id != want || found != (want != "") || (cure == "") == found {
			t.Errorf("%q: %q, %q", message, id, cure)
		}
	}
}

func TestAKubernetesThatTheProjectDoesNotTest(t *testing.T) {
	network := func(name string) catalogue.Network {
		n, err := catalogue.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for name, c := range map[string]struct{ network, chart, kubernetes, says string }{
		"within":                {"cilium", "1.19.1", "v1.34.2", ""},
		"too new":               {"cilium", "1.19.1", "v1.36.3", "cilium 1.19 is tested with Kubernetes 1.31 to 1.34, and this cluster has 1.36"},
		"too old":               {"calico", "v3.32.1", "v1.31.0", "1.34 to 1.36"},
		"no upper bound":        {"antrea", "2.7.0", "v1.99.0", ""},
		"below an open one":     {"kube-ovn", "v1.16.2", "v1.28.1", "from 1.29 on"},
		"a project that is mum": {"flannel", "v0.28.4", "v1.20.0", ""},
		"another line":          {"cilium", "1.12.0", "v1.36.3", ""},
		"no version":            {"cilium", "1.19.1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := Untested(network(c.network), c.chart, c.kubernetes)
			if len(got) != min(len(c.says), 1) || len(got) == 1 && (!strings.Contains(got[0].What, c.says) || got[0].Blocks) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestEveryPitfallIsExplained(t *testing.T) {
	for i, e := range Explanations() {
		if want := "CNI" + string([]byte{'0', byte('0' + (i+1)/10), byte('0' + (i+1)%10)}); e.ID != want {
			t.Errorf("%s is where %s should be", e.ID, want)
		}
		if e.Title == "" || e.Cause == "" || e.Cure == "" || len(e.See) == 0 || len(e.Sources) == 0 {
			t.Errorf("%s is not explained in full", e.ID)
		}
	}
	if e, err := Explain("cni006"); err != nil || e.ID != "CNI006" {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := Explain("CNI999"); plan.ClassOf(err) != plan.Misused || !strings.Contains(plan.HintOf(err), "CNI001 to CNI033") {
		t.Errorf("%v, %q", err, plan.HintOf(err))
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	all := All(input(func(in *Input) {
		in.Networks[0].Managed = nil
		in.Proxy.CIDRs = cnitest.CIDRs("10.0.0.0/8")
		in.Nodes[0].PodCIDRs = nil
	}))
	var ids []string
	for _, f := range all {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "CNI019 CNI002 CNI014" || !Bad(all) || Bad(all[2:]) {
		t.Errorf("got %s", got)
	}
}

func FuzzKnownWords(f *testing.F) {
	f.Add(`failed to find plugin "flannel" in path [/opt/cni/bin]`, "6.1.0")
	f.Fuzz(func(t *testing.T, words, kernel string) {
		if p, is := known(words); is && p.cure == "" {
			t.Error("no way out")
		}
		older(kernel, "5.10")
	})
}

func TestWhatAnotherNetworkHasOnHostsIsNotInTheWayOfTheNext(t *testing.T) {
	port := needsOf("cilium").Ports[0]
	proto := strings.ToLower(port.Protocol)
	hosts := []wire.HostNetwork{{Node: "a", Configs: []wire.NetConfig{{File: "00-x.conf"}, {File: needsOf("cilium").Conflist}},
		Listeners: []wire.Listener{{Proto: proto, Port: port.Number, Program: "cilium-agent"}, {Proto: proto, Port: 1, Program: "x"}}}}
	got := Without(hosts, "cilium")
	if len(got) != 1 || len(got[0].Configs) != 1 || got[0].Configs[0].File != "00-x.conf" || len(got[0].Listeners) != 1 ||
		got[0].Listeners[0].Port != 1 {
		t.Errorf("%+v", got)
	}
	if len(hosts[0].Configs) != 2 || hosts[0].Configs[1].File == "" || len(hosts[0].Listeners) != 2 {
		t.Errorf("what was seen has changed: %+v", hosts)
	}
}
