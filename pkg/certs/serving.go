// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Servers says where the servers of a host listen, by the names of the rows whose
// certificates they present. Their own flags tell.
func Servers(fsys fs.FS, want Layout) map[string]string {
	r := &reader{fsys: fsys}
	l := r.place(or(want.Dir, usualDir))
	all := map[string]string{"kubelet-server": r.kubeletAddress()}
	if !want.ControlPlane {
		return all
	}
	all["apiserver"] = net.JoinHostPort(listening(l.api["bind-address"], l.api["advertise-address"]), or(l.api["secure-port"], "6443"))
	if !l.localEtcd {
		return all
	}
	for name, flag := range map[string]string{"etcd-server": "listen-client-urls", "etcd-peer": "listen-peer-urls"} {
		first, _, _ := strings.Cut(l.etcd[flag], ",")
		if u, err := url.Parse(first); err == nil && u.Scheme == "https" {
			all[name] = net.JoinHostPort(listening(u.Hostname()), or(u.Port(), "443"))
		}
	}
	return all
}

// listening is the first address that can be dialled; of all addresses, that is this
// machine's own.
func listening(addresses ...string) string {
	for _, a := range addresses {
		if ip := net.ParseIP(a); ip != nil && !ip.IsUnspecified() {
			return a
		}
	}
	return "127.0.0.1"
}

// kubeletAddress is where the kubelet listens, as its configuration says.
func (r *reader) kubeletAddress() string {
	var config struct {
		Address string `json:"address"`
		Port    int    `json:"port"`
	}
	raw, err := r.file("/var/lib/kubelet/config.yaml")
	if err != nil || yaml.Unmarshal(raw, &config) != nil || config.Port < 1 || config.Port > 65535 {
		return net.JoinHostPort(listening(config.Address), "10250")
	}
	return net.JoinHostPort(listening(config.Address), strconv.Itoa(config.Port))
}
