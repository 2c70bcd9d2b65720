// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func version(t *testing.T, s string) Version {
	t.Helper()
	v, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// cluster is one in whose way to v1.37.2 nothing stands.
func cluster(t *testing.T) Facts {
	t.Helper()
	f := Facts{Now: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Served: version(t, "v1.36.3"),
		Config: Config{APIVersion: "kubeadm.k8s.io/v1beta4", Version: version(t, "v1.36.3")}}
	for _, name := range []string{"cp1", "cp2", "cp3", "w1", "w2"} {
		plane := strings.HasPrefix(name, "cp")
		f.Nodes = append(f.Nodes, Node{Name: name, ControlPlane: plane, Ready: true, Kubelet: version(t, "v1.36.3"),
			CRISocket: "unix:///run/containerd/containerd.sock"})
		if plane {
			f.Components = append(f.Components,
				Component{Node: name, Name: "kube-apiserver", Image: "registry.k8s.io/kube-apiserver:v1.36.3", Ready: true},
				Component{Node: name, Name: "etcd", Image: "mirror.example:5000/etcd:3.6.11-0", Ready: true})
		}
	}
	return f
}

func TestWhatStandsInTheWayOfAnUpgrade(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change func(f *Facts)
		target string
		want   string // id and severity; empty for nothing
		says   string
		blocks bool
	}{
		"nothing":                   {func(*Facts) {}, "v1.37.2", "", "", false},
		"a patch of the same minor": {func(*Facts) {}, "v1.36.5", "", "", false},
		"the same version again":    {func(*Facts) {}, "v1.36.3", "", "", false},
		"two minors at once":        {func(*Facts) {}, "v1.38.0", "UPG001 error", "more than one minor", true},
		"an older patch":            {func(*Facts) {}, "v1.36.2", "UPG002 error", "older than what runs", true},
		"an older minor": {func(f *Facts) { kubelet(f, "w1", Version{1, 35, 0, ""}) }, "v1.36.2", "UPG002 error", "older",
			true},
		"a release candidate":           {func(*Facts) {}, "v1.37.0-rc.1", "UPG021 error", "no release", true},
		"a kubelet three minors behind": {func(f *Facts) { kubelet(f, "w1", Version{1, 34, 9, ""}) }, "v1.37.2", "", "", false},
		"a kubelet four minors behind": {func(f *Facts) { kubelet(f, "w1", Version{1, 33, 9, ""}) }, "v1.37.2", "UPG003 error",
			"more than 3 minors", true},
		"a kubelet that is newer": {func(f *Facts) { kubelet(f, "w2", Version{1, 38, 0, ""}) }, "v1.37.2", "UPG003 error",
			"w2 is newer", true},
		"a kubelet that says no version": {func(f *Facts) { kubelet(f, "w2", Version{}) }, "v1.37.2", "", "", false},
		"an upgrade that was interrupted": {func(f *Facts) { f.Components[0].Image = "registry.k8s.io/kube-apiserver:v1.37.2" }, "v1.37.2",
			"UPG004 warning", "v1.37.2 on cp1", false},
		"control planes two minors apart": {func(f *Facts) { f.Components[0].Image = "kube-apiserver:v1.34.0" }, "v1.37.2", "UPG004 error",
			"v1.34.0 on cp1", true},
		"a worker that is not Ready": {func(f *Facts) { f.Nodes[4].Ready = false }, "v1.37.2", "UPG005 warning",
			"w2 is not Ready, and is left out", false},
		"a control plane that is not Ready": {func(f *Facts) { f.Nodes[1].Ready = false }, "v1.37.2", "UPG006 error", "cp2", true},
		"one control plane": {func(f *Facts) { f.Nodes, f.Components = f.Nodes[2:], f.Components[4:] }, "v1.37.2",
			"UPG007 note", "does not answer", false},
		"an old configuration": {func(f *Facts) { f.Config.APIVersion = "kubeadm.k8s.io/v1beta3" }, "v1.36.5", "UPG008 warning",
			"v1beta3", false},
		"one that the target does not read": {func(f *Facts) { f.Config.APIVersion = "kubeadm.k8s.io/v1beta3" }, "v1.37.2", "UPG008 error",
			"v1beta3", true},
		"another runtime's socket": {func(f *Facts) { f.Nodes[3].CRISocket = "unix:///var/run/crio/crio.sock" }, "v1.36.5",
			"UPG009 warning", "crio.sock", false},
		"one that is still read": {func(f *Facts) { f.Nodes[3].CRISocket = "unix:///var/run/crio/crio.sock"; older(f) },
			"v1.35.9", "", "", false},
		"IPVS": {func(f *Facts) { f.ProxyMode = "ipvs" }, "v1.37.2", "UPG010 warning", "IPVS", false},
		"IPVS before 1.40": {func(f *Facts) { f.ProxyMode, f.Served.Minor = "ipvs", 39 }, "v1.39.9", "UPG010 warning", "IPVS",
			false},
		"a member of etcd that is too old": {func(f *Facts) { f.Components[3].Image = "registry.k8s.io/etcd:3.6.8-0" }, "v1.37.2",
			"UPG011 error", "etcd on cp2 is 3.6.8", true},
		"one that stays at its minor": {func(f *Facts) { f.Components[3].Image = "registry.k8s.io/etcd:3.6.8-0" }, "v1.36.5", "", "",
			false},
		"one with hosts of its own": {func(f *Facts) { f.Components[3].Image = "etcd:3.5.0-0"; f.Config.ExternalEtcd = true },
			"v1.37.2", "", "", false},
		"a webhook that may be ignored": {func(f *Facts) {
			f.Backends = []Backend{{"validatingwebhookconfiguration/x", "a/b", false, "no endpoint"}}
		}, "v1.37.2", "UPG012 warning", "a/b", false},
		"a webhook that must answer": {func(f *Facts) {
			f.Backends = []Backend{{"mutatingwebhookconfiguration/x", "a/b", true,
				"no endpoint"}}
		}, "v1.37.2", "UPG012 error", "fails", true},
		"a webhook that answers": {func(f *Facts) { f.Backends = []Backend{{"mutatingwebhookconfiguration/x", "a/b", true, ""}} },
			"v1.37.2", "", "", false},
		"an APIService without a server": {func(f *Facts) { f.Backends = []Backend{{"apiservice/v1.x", "a/b", true, "503"}} }, "v1.37.2",
			"UPG013 warning", "a/b", false},
		"a certificate that ends soon": {func(f *Facts) {
			f.Certificates = []Certificate{{"cp1", "apiserver",
				f.Now.Add(9*day + time.Hour)}}
		}, "v1.37.2", "UPG014 warning", "ends in 9 days (cp1)", false},
		"a certificate that has ended": {func(f *Facts) { f.Certificates = []Certificate{{"", "ca", f.Now.Add(-day)}} }, "v1.37.2",
			"UPG014 error", "has ended", true},
		"a certificate with time": {func(f *Facts) { f.Certificates = []Certificate{{"", "ca", f.Now.Add(90 * day)}} }, "v1.37.2", "",
			"", false},
		"a flag that the target lacks": {func(f *Facts) { f.Flags = []Flag{{"w1", "pod-infra-container-image", "/etc/default/kubelet"}} },
			"v1.37.2", "UPG015 error", "would not start", true},
		"one that kubeadm takes out": {func(f *Facts) {
			f.Flags = []Flag{{"w1", "pod-infra-container-image", "/var/lib/kubelet/kubeadm-flags.env"}}
		}, "v1.37.2", "UPG016 note", "takes out", false},
		"a flag that is deprecated": {func(f *Facts) { f.Flags = []Flag{{"w1", "max-pods", "/etc/default/kubelet"}} }, "v1.37.2",
			"UPG016 note", "--max-pods", false},
		"a flag that is not known here": {func(f *Facts) { f.Flags = []Flag{{"w1", "node-ip", "/etc/default/kubelet"}} }, "v1.37.2", "",
			"", false},
		"an API that goes later": {func(f *Facts) { f.Requested = []Requested{{"", "v1", "endpoints", ""}} }, "v1.37.2",
			"UPG017 note", "v1 endpoints", false},
		"an API that the target lacks": {func(f *Facts) { f.Requested = []Requested{{"x.k8s.io", "v1alpha2", "y", "1.37"}} }, "v1.37.2",
			"UPG017 error", "x.k8s.io/v1alpha2 y", false},
		"an API that a later minor lacks": {func(f *Facts) { f.Requested = []Requested{{"x.k8s.io", "v1", "y", "1.40"}} }, "v1.37.2",
			"UPG017 note", "1.40", false},
		"a network that is not tested": {func(f *Facts) { f.Networks = []Network{{"cilium", "cilium 1.19 is tested with 1.31 to 1.34"}} },
			"v1.37.2", "UPG018 warning", "1.19", false},
		"a component that is not ready": {func(f *Facts) { f.Components[0].Ready = false }, "v1.37.2", "UPG019 error",
			"kube-apiserver on cp1", true},
		"a cordoned node": {func(f *Facts) { f.Nodes[4].Cordoned = true }, "v1.37.2", "UPG020 note", "w2", false},
		"a part that was not read": {func(f *Facts) { f.Unread = map[string]string{"the webhooks": "forbidden"} }, "v1.37.2",
			"UPG022 warning", "the webhooks could not be read", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := cluster(t)
			c.change(&f)
			all := Check(f, version(t, c.target))
			if c.want == "" {
				if len(all) > 0 {
					t.Errorf("%+v", all)
				}
				return
			}
			if len(all) != 1 || all[0].ID+" "+string(all[0].Severity) != c.want || !strings.Contains(all[0].What,
				c.says) || all[0].Blocks != c.blocks {
				t.Errorf("%+v", all)
			}
			if all[0].Evidence == "" && c.want[:6] != "UPG005" || all[0].Cure == "" {
				t.Errorf("no evidence, or no way out: %+v", all[0])
			}
		})
	}
}

// older makes the cluster one of the minor before.
func older(f *Facts) {
	f.Served.Minor = 35
	for i := range f.Nodes {
		f.Nodes[i].Kubelet.Minor = 35
	}
}

func kubelet(f *Facts, node string, v Version) {
	f.Nodes[slices.IndexFunc(f.Nodes, func(n Node) bool { return n.Name == node })].Kubelet = v
}

func TestEveryFindingIsExplainedAndOnlyThose(t *testing.T) {
	var ids []string
	for _, e := range Explanations() {
		ids = append(ids, e.ID)
		if e.Title == "" || e.Cause == "" || len(e.See) == 0 || e.Cure == "" || len(e.Sources) == 0 {
			t.Errorf("%s is not explained: %+v", e.ID, e)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) != 23 {
		t.Errorf("%d ids: %q", len(ids), ids)
	}
}

func TestTheWorstComesFirst(t *testing.T) {
	f := cluster(t)
	f.Nodes[4].Cordoned, f.ProxyMode, f.Nodes[1].Ready = true, "ipvs", false
	var ids []string
	for _, found := range Check(f, version(t, "v1.37.2")) {
		ids = append(ids, found.ID)
	}
	if !slices.Equal(ids, []string{"UPG006", "UPG010", "UPG020"}) {
		t.Errorf("%q", ids)
	}
}

func TestVersionsAreRead(t *testing.T) {
	for s, want := range map[string]string{"v1.36.3": "v1.36.3", "1.36.3": "v1.36.3", "v1.37.0-rc.1": "v1.37.0-rc.1",
		"v1.36.3+k3s1": "v1.36.3",
		"v1.36":        "", "latest": "", "": "", "v1.36.3; rm -rf /": "", "v99999.1.1": "", "v1.2.3-": ""} {
		v, err := Parse(s)
		if (err != nil) != (want == "") || err == nil && v.String() != want {
			t.Errorf("%q: %s, %v", s, v, err)
		}
	}
	order := []string{"v1.35.9", "v1.36.0-alpha.2", "v1.36.0-alpha.10", "v1.36.0-rc.1", "v1.36.0", "v1.36.1", "v1.36.10", "v1.37.0"}
	for i := range order[1:] {
		if version(t, order[i]).Compare(version(t, order[i+1])) >= 0 {
			t.Errorf("%s is not older than %s", order[i], order[i+1])
		}
	}
	for image, want := range map[string]string{"registry.k8s.io/etcd:3.6.8-0": "v3.6.8",
		"host:5000/a/kube-apiserver:v1.36.3@sha256:ab": "v1.36.3",
		"host:5000/kube-apiserver":                     "", "kube-apiserver:v1.36.3-gke.1": "v1.36.3-gke.1", "kube-apiserver@sha256:ab": "",
		"x:v1.36.3_k": "v1.36.3"} {
		v, known := TagVersion(image)
		if known != (want != "") || known && v.String() != want {
			t.Errorf("%s: %s %t", image, v, known)
		}
	}
}

func TestTheOrderOfTheNodes(t *testing.T) {
	f := cluster(t)
	slices.Reverse(f.Nodes)
	for name, c := range map[string]struct {
		leader string
		change func()
		want   string
	}{
		"by name where the leader is not known": {"", func() {}, "cp1 cp2 cp3 / w1 w2 /"},
		"the leader of etcd goes last":          {"cp1", func() {}, "cp2 cp3 cp1 / w1 w2 /"},
		"a leader that is no node":              {"other", func() {}, "cp1 cp2 cp3 / w1 w2 /"},
		"a worker that is down is left out":     {"cp2", func() { f.Nodes[1].Ready = false }, "cp1 cp3 cp2 / w2 / w1"},
	} {
		c.change()
		turns := Order(f.Nodes, c.leader)
		got := strings.TrimSpace(strings.Join(turns.Planes, " ") + " / " + strings.Join(turns.Workers,
			" ") + " / " + strings.Join(turns.Left, " "))
		for i := range f.Nodes {
			f.Nodes[i].Ready = true
		}
		if got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
