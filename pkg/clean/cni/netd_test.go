// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

const multusConf = `{"name":"multus-cni-network","type":"multus",
"kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig","delegates":[{"type":"flannel"}]}`

func TestWhatBecomesOfAFileInNetD(t *testing.T) {
	at := func(name, raw string) confFile {
		return confFile{path: inventory.CNIConfDir + "/" + name, raw: []byte(raw), younger: true, changed: true}
	}
	old := func(f confFile) confFile { f.younger = false; return f }
	untouched := func(f confFile) confFile { f.younger, f.changed = false, false; return f }
	kept := func(f confFile) confFile { f.leftOut = "a token"; return f }
	leads := func(f confFile) confFile { f.refers = cluster.Reference{Authority: true}; return f }
	for _, tc := range []struct {
		name  string
		files []confFile
		want  string // "fate owner" of each, or "back" for what gets its name back
	}{
		{"a network's own by its name", []confFile{at("10-flannel.conflist", "")}, "goes flannel"},
		{"a network's own with its plugin in it, of before the join",
			[]confFile{old(at("10-weave.conflist", `{"plugins":[{"type":"weave-net"},{"type":"portmap"}]}`))}, "goes weave"},
		{"kube-router's, which runs the standard plugin", []confFile{old(at("10-kuberouter.conflist",
			`{"plugins":[{"type":"bridge","bridge":"kube-bridge","ipam":{"type":"host-local"}}]}`))}, "goes kube-router"},
		{"a person's bridge of before the join that is called as a network calls its own",
			[]confFile{old(at("10-weave.conflist", `{"name":"mynet","plugins":[{"type":"bridge"}]}`))}, "stays foreign!"},
		{"a person's that Cilium put aside, called as another network calls its own",
			[]confFile{old(at("10-calico.conflist.cilium_bak", `{"plugins":[{"type":"macvlan"}]}`))}, "back"},
		{"Multus in front of a network", []confFile{at("00-multus.conf", multusConf)}, "goes multus"},
		{"Multus that was there before the join", []confFile{old(at("00-multus.conf", multusConf))}, "stays foreign!"},
		{"the thick plugin, under any name",
			[]confFile{at("zz.conf", `{"type":"multus-shim","clusterNetwork":"/host/etc/cni/net.d/10-x.conflist"}`)}, "goes multus"},
		{"a person's under a name of their own, which no backup would have",
			[]confFile{kept(at("05-mine.conflist", `{"plugins":[{"type":"flannel"}]}`))}, "stays foreign!"},
		{"a network's with a plugin of a person's, which no backup would have",
			[]confFile{kept(at("10-flannel.conflist", `{"plugins":[{"type":"flannel"},{"type":"mine"}]}`))}, "stays foreign!"},
		{"a network's own, which no backup would have",
			[]confFile{kept(at("10-flannel.conflist", `{"plugins":[{"type":"flannel"},{"type":"portmap"}]}`))}, "goes flannel"},
		{"a kubeconfig of the cluster, which no backup would have", []confFile{kept(leads(at("mine", "x")))}, "goes pod-network"},
		{"a kubeconfig of the cluster", []confFile{leads(at("ZZZ-istio-cni-kubeconfig", "x"))}, "goes pod-network"},
		{"a kubeconfig of the cluster in a directory", []confFile{leads(at("whereabouts.d/whereabouts.kubeconfig", "x"))}, "goes pod-network"},
		{"a kubeconfig of the cluster that is older", []confFile{old(leads(at("mine", "x")))}, "stays foreign!"},
		{"a kubeconfig of another cluster", []confFile{at("mine", "x")}, "stays foreign"},
		{"a configuration that names a kubeconfig of the cluster",
			[]confFile{at("30-a.conf", `{"type":"unheard-of","kubeconfig":"/etc/cni/net.d/k"}`),
				leads(at("k", "x"))}, "goes pod-network, goes pod-network"},
		{"one that delegates to a network that goes",
			[]confFile{at("20-b.conf", `{"type":"mine","clusterNetwork":"/etc/cni/net.d/10-flannel.conflist"}`),
				at("10-flannel.conflist", "")}, "goes flannel, goes flannel"},
		{"a network's chain with Istio's plugin at its end",
			[]confFile{at("50-x.conflist", `{"plugins":[{"type":"flannel"},{"type":"portmap"},{"type":"istio-cni"}]}`)}, "goes flannel"},
		{"podman's chain with Istio's plugin at its end", []confFile{
			at("87-podman.conflist", `{"name":"podman","plugins":[{"type":"bridge","ipam":{"type":"host-local"}},{"type":"portmap"},
				{"type":"istio-cni","kubernetes":{"kubeconfig":"/etc/cni/net.d/ZZZ-istio-cni-kubeconfig"}}]}`),
			leads(at("ZZZ-istio-cni-kubeconfig", "x")),
		}, "stays foreign!, goes pod-network"},
		{"a person's chain with Linkerd's plugin and a token in it",
			[]confFile{leads(at("10-mine.conflist", `{"plugins":[{"type":"macvlan"},{"type":"linkerd-cni"}]}`))}, "stays foreign!"},
		{"a mesh's own file", []confFile{at("01-linkerd-cni.conf", `{"type":"linkerd-cni"}`)}, "goes linkerd"},
		{"address management by Whereabouts", []confFile{at("60-x.conf", `{"type":"macvlan","ipam":{"type":"whereabouts"}}`)},
			"goes whereabouts"},
		{"podman's network", []confFile{at("87-podman.conflist",
			`{"name":"podman","plugins":[{"type":"bridge"},{"type":"portmap"},{"type":"tuning"}]}`)}, "stays foreign"},
		{"no JSON", []confFile{at("x.conf", `{`)}, "stays foreign"},
		{"what Cilium put aside, of others", []confFile{at("87-podman.conflist.cilium_bak", `{"plugins":[{"type":"bridge"}]}`)}, "back"},
		{"what Cilium put aside, of the network before it", []confFile{at("10-flannel.conflist.cilium_bak", "")}, "goes flannel"},
		{"a person's own that is called so, and was before the join", []confFile{untouched(at("50-mine.conflist.cilium_bak", "{}"))},
			"stays foreign"},
		{"a copy of a network's own of before the join", []confFile{untouched(at("10-flannel.conflist.cilium_bak", "")),
			untouched(at("10-flannel.conflist.old", ""))}, "stays foreign, stays foreign"},
		{"what was put aside and has a successor", []confFile{at("87-podman.conflist.cilium_bak", "{}"), at("87-podman.conflist", "{}")},
			"stays foreign!, stays foreign"},
		{"what Multus put aside", []confFile{at("10-mine.conf.old", "{}"), at("00-multus.conf", multusConf)}, "back, goes multus"},
		{"what Multus put aside, which was there before", []confFile{old(at("10-mine.conf.old", "{}")), at("00-multus.conf", multusConf)},
			"back, goes multus"},
		{"a person's own that was put aside before Multus came", []confFile{untouched(at("10-mine.conf.old", "{}")),
			at("00-multus.conf", multusConf)}, "stays foreign, goes multus"},
		{"a person's own that is called old", []confFile{at("10-mine.conf.old", "{}")}, "stays foreign"},
		{"no configuration that is called so", []confFile{at("notes.cilium_bak", "{}")}, "stays foreign"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, d := range judgeConfs(tc.files) {
				text := string(d.Fate) + " " + string(d.Owner)
				switch {
				case d.Manner == inventory.PutBack:
					text = "back"
				case d.Refers != "":
					text += "!"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One sign may be a person's: only what Cilium has put aside gets its name back.
func TestAFileGetsItsNameBackFromCiliumOnlyWhereCiliumRan(t *testing.T) {
	files := []confFile{
		{path: inventory.CNIConfDir + "/50-mine.conflist.cilium_bak", raw: []byte("{}"), changed: true, digest: "d"},
		{path: inventory.CNIConfDir + "/50-its.conf.old", raw: []byte("{}"), changed: true},
		{path: inventory.CNIConfDir + "/00-multus.conf", raw: []byte(multusConf), younger: true},
	}
	for ran, want := range map[bool]string{true: "put-back put-back ", false: " put-back "} {
		got := unproven(judgeConfs(files), func() bool { return ran })
		if s := string(got[0].Manner + " " + got[1].Manner + " " + got[2].Manner); s != want {
			t.Errorf("Cilium ran: %v; got %q", ran, s)
		}
		if !ran && (got[0].Fate != inventory.Stays || got[0].Refers == "" || got[0].Digest != "d" || got[0].Original != "") {
			t.Errorf("it is not named: %+v", got[0])
		}
	}
}

func TestWhereTheAgentsOfANetworkListen(t *testing.T) {
	for _, tc := range []struct{ name, conf, want string }{
		{"Cilium", `{"plugins":[{"type":"cilium-cni"}]}`, "/run/cilium/cilium.sock"},
		{"Antrea", `{"plugins":[{"type":"antrea"},{"type":"portmap"}]}`, "/run/antrea/cni.sock"},
		{"kube-ovn says where", `{"plugins":[{"type":"kube-ovn","server_socket":"unix:///run/x/ovn.sock"}]}`, "/run/x/ovn.sock"},
		{"kube-ovn does not", `{"type":"kube-ovn"}`, "/run/openvswitch/kube-ovn-daemon.sock"},
		{"Multus says where", `{"type":"multus-shim","daemonSocketDir":"/host/run/m"}`, "/run/m/multus.sock"},
		{"Multus does not", `{"type":"multus-shim"}`, "/run/multus/multus.sock"},
		{"Multus of the old kind asks no agent, and its delegate does", `{"type":"multus","delegates":[{"type":"cilium-cni"}]}`,
			"/run/cilium/cilium.sock"},
		{"flannel and Calico ask none", `{"plugins":[{"type":"flannel"},{"type":"calico"}]}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conf, is := parseConf([]byte(tc.conf))
			if got := strings.Join(conf.agentSockets(), " "); !is || got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzParseConf(f *testing.F) {
	for _, seed := range []string{multusConf, `{"plugins":[{"type":"x","bridge":"cni0"}]}`, `{"delegates":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}`,
		`{"kubeconfig":"../../etc/shadow","daemonSocketDir":"/.."}`, `null`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		conf, is := parseConf(raw)
		if is != json.Valid(raw) && is {
			t.Error("what is no JSON was read")
		}
		for _, list := range [][]string{conf.types, conf.Bridges, conf.files, conf.sockets} {
			if len(list) > mostValues || slices.ContainsFunc(list, func(s string) bool { return len(s) > mostOfValue+len("/multus.sock") }) {
				t.Errorf("more than its bounds: %d", len(list))
			}
		}
		for _, place := range append(conf.files, conf.agentSockets()...) {
			if !strings.HasPrefix(place, "/") || strings.Contains(place, "/../") {
				t.Errorf("a path that leads elsewhere: %q", place)
			}
		}
		for _, d := range judgeConfs([]confFile{{path: inventory.CNIConfDir + "/x.conf", raw: raw},
			{path: inventory.CNIConfDir + "/x.conf.cilium_bak", raw: raw, younger: true}}) {
			if d.Fate == inventory.Goes && d.Name == inventory.CNIConfDir+"/x.conf" {
				t.Error("what is older than the join goes")
			}
		}
	})
}

func TestWhichConfigurationsConnectPodsByTheStandardPlugins(t *testing.T) {
	for name, tc := range map[string]struct {
		raw      string
		connects bool
		bridge   string
	}{
		"a bridge that is named":       {`{"type":"bridge","bridge":"br7"}`, true, ""},
		"a bridge that is not named":   {`{"plugins":[{"type":"bridge","ipam":{"type":"host-local"}},{"type":"portmap"}]}`, true, "cni0"},
		"kindnet's chain":              {`{"plugins":[{"type":"ptp","ipam":{"type":"host-local"}},{"type":"portmap"}]}`, true, ""},
		"a part of the host's network": {`{"type":"ipvlan","master":"eth0"}`, true, ""},
		"what another calls":           {`{"type":"mine","delegates":[{"type":"macvlan"}]}`, true, ""},
		"a pod network":                {`{"plugins":[{"type":"calico","ipam":{"type":"host-local"}},{"type":"portmap"}]}`, false, ""},
		"the loopback":                 {`{"type":"loopback"}`, false, ""},
		"a name alone":                 {`{"name":"bridge"}`, false, ""},
		"more than is looked at":       {strings.Repeat(`{"a":`, deepestConf+2) + "1" + strings.Repeat("}", deepestConf+2), true, ""},
	} {
		c, read := parseConf([]byte(tc.raw))
		if !read || c.Connects() != tc.connects || c.DefaultBridge() != tc.bridge {
			t.Errorf("%s: connects %v, bridge %q", name, c.Connects(), c.DefaultBridge())
		}
	}
}
