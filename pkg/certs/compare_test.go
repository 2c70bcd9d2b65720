// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"strings"
	"testing"
)

func TestWhatMustBeTheSameOnAllControlPlanes(t *testing.T) {
	look := func(node, key, ca string) Look {
		return Look{Node: node, ServiceAccountKey: key, Rows: []Row{{Name: "ca", Certificate: &Certificate{PublicKey: ca}}}}
	}
	for name, c := range map[string]struct {
		looks []Look
		want  string
	}{
		"it is": {[]Look{look("a", "1", "2"), look("b", "1", "2"), look("c", "1", "2")}, ""},
		"one":   {[]Look{look("a", "1", "2")}, ""},
		"the key of ServiceAccounts": {[]Look{look("a", "1", "2"), look("b", "1", "2"), look("c", "9", "2")},
			"sa.key: one on a, b; another on c"},
		"the authority":                      {[]Look{look("a", "1", "2"), look("b", "1", "3")}, "ca: one on a; another on b"},
		"what was not read is no difference": {[]Look{look("a", "1", "2"), {Node: "b"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range Compare(c.looks) {
				got = append(got, r.Name+": "+strings.TrimPrefix(r.Faults[0], "it is not the same on all control planes: "))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestWhereServersListen(t *testing.T) {
	h := controlPlane(t, ofECDSA)
	for name, c := range map[string]struct {
		api, etcd []string
		kubelet   string
		want      map[string]string
	}{
		"as kubeadm has them": {[]string{"kube-apiserver", "--advertise-address=192.0.2.1", "--secure-port=6443"},
			[]string{"etcd", "--listen-client-urls=https://127.0.0.1:2379,https://192.0.2.1:2379", "--listen-peer-urls=https://192.0.2.1:2380"}, "",
			map[string]string{"apiserver": "192.0.2.1:6443", "etcd-server": "127.0.0.1:2379", "etcd-peer": "192.0.2.1:2380",
				"kubelet-server": "127.0.0.1:10250"}},
		"elsewhere": {[]string{"kube-apiserver", "--bind-address=0.0.0.0", "--advertise-address=2001:db8::1", "--secure-port=443"},
			[]string{"etcd", "--listen-client-urls=https://0.0.0.0:2379", "--listen-peer-urls=http://192.0.2.1:2380"},
			"address: 192.0.2.1\nport: 10000\n",
			map[string]string{"apiserver": "[2001:db8::1]:443", "etcd-server": "127.0.0.1:2379", "kubelet-server": "192.0.2.1:10000"}},
	} {
		t.Run(name, func(t *testing.T) {
			h.put("/etc/kubernetes/manifests/kube-apiserver.yaml", manifest(c.api...), 0o600)
			h.put("/etc/kubernetes/manifests/etcd.yaml", manifest(c.etcd...), 0o600)
			h.put("/var/lib/kubelet/config.yaml", []byte(c.kubelet), 0o600)
			got := Servers(h, Layout{ControlPlane: true})
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s at %q, want %q", name, got[name], want)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("%v", got)
			}
		})
	}
}
