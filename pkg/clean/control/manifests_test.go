// SPDX-License-Identifier: Apache-2.0

package control

import "testing"

func TestAStaticPodIsKubeadmsByWhatItRuns(t *testing.T) {
	const server = "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {component: kube-apiserver}\n  name: kube-apiserver\n" +
		"  namespace: kube-system\nspec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver, --secure-port=6443]\n"
	const proxy = "kind: Pod\nmetadata: {name: haproxy, namespace: kube-system}\nspec:\n  containers:\n  - {name: haproxy, image: haproxy}\n"
	pod := func(name, space, command string) string {
		return "kind: Pod\nmetadata: {name: " + name + ", namespace: " + space + ", labels: {component: etcd}}\n" +
			"spec: {containers: [{command: [" + command + "]}]}\n"
	}
	for name, tc := range map[string]struct {
		file, content string
		want          bool
	}{
		"kubeadm's":                {"kube-apiserver.yaml", server, true},
		"kubeadm's with a sidecar": {"kube-apiserver.yaml", server + "  - {name: kms, image: kms}\n", true},
		"a copy of it":             {"kube-apiserver.yaml.bak", server, true},
		"a copy with a name of a person's": {"old.json",
			`{"kind":"Pod","metadata":{"name":"etcd","namespace":"kube-system","labels":{"component":"etcd"}},` +
				`"spec":{"containers":[{"command":["etcd"]}]}}`, true},
		"one of kubeadm's under another's":   {"etcd.yaml", server, false},
		"a proxy":                            {"haproxy.yaml", proxy, false},
		"a proxy under kubeadm's name":       {"kube-apiserver.yaml", proxy, false},
		"a proxy with kubeadm's label":       {"x.yaml", pod("x", "kube-system", "etcd"), false},
		"a shell that is labelled as etcd":   {"x.yaml", pod("etcd", "kube-system", "sh, -c, etcd"), false},
		"etcd in another namespace":          {"x.yaml", pod("etcd", "mine", "etcd"), false},
		"etcd by its path":                   {"x.yaml", pod("etcd", "kube-system", "/usr/local/bin/etcd"), true},
		"an empty file":                      {"etcd.yaml", "", true},
		"kubeadm's, cut short":               {"kube-scheduler.yaml", "apiVersion: v1\nkind: Pod\nmetad", true},
		"a person's, cut short":              {"mine.yaml", "apiVersion: v1\nkind: Pod\nmetad", false},
		"what is no YAML under another name": {"core.123", "\x00\x01", false},
		"a lease of someone's editor":        {".kube-apiserver.yaml.swp", "b0VIM 9.0", false},
	} {
		if got := component(tc.file, []byte(tc.content)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
