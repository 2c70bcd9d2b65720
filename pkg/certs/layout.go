// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"path"
	"strings"

	"sigs.k8s.io/yaml"
)

// Layout says what is expected on a host, and where.
type Layout struct {
	// Dir is where kubeadm keeps certificates; empty means /etc/kubernetes/pki.
	Dir string `json:"dir,omitempty"`
	// ControlPlane is true of a host that runs an API server.
	ControlPlane bool `json:"controlPlane"`
}

// The places that kubeadm gives no choice of.
const (
	usualDir   = "/etc/kubernetes/pki"
	configDir  = "/etc/kubernetes"
	kubeletDir = "/var/lib/kubelet/pki"
	manifests  = "/etc/kubernetes/manifests"
)

// item is one certificate that a control plane has.
type item struct {
	name, file, key string
	// ca is the name of its authority; empty for an authority.
	ca       string
	optional bool
}

// place is the flag that names a file, and where kubeadm puts it.
type place struct {
	flags       map[string]string
	flag, usual string
}

// layout is where a host has its certificates, as its static pods say where they do.
type layout struct {
	dir string
	// api and etcd are the flags of the API server's and of etcd's static pod.
	api, etcd map[string]string
	// localEtcd is false where etcd has hosts of its own.
	localEtcd bool
}

// The names of the authorities.
const (
	clusterCA    = "ca"
	frontProxyCA = "front-proxy-ca"
	etcdCA       = "etcd-ca"
)

// authorities are those of a control plane.
func (l layout) authorities() []item {
	all := []item{
		{name: clusterCA, file: l.in("ca.crt"), key: l.in("ca.key")},
		{name: frontProxyCA, file: l.in("front-proxy-ca.crt"), key: l.in("front-proxy-ca.key")},
	}
	etcd := item{name: etcdCA, file: l.in("etcd/ca.crt"), key: l.in("etcd/ca.key")}
	if !l.localEtcd {
		etcd.file = or(l.api["etcd-cafile"], etcd.file)
		etcd.optional = l.api["etcd-cafile"] == ""
	}
	return append(all, etcd)
}

// leaves are the other certificates that are files (kubeadm, app/phases/certs).
func (l layout) leaves() []item {
	of := func(name, ca string, at place) item {
		file := or(at.flags[at.flag], l.in(at.usual+".crt"))
		return item{name: name, ca: ca, file: file, key: strings.TrimSuffix(file, path.Ext(file)) + ".key"}
	}
	all := []item{
		of("apiserver", clusterCA, place{l.api, "tls-cert-file", "apiserver"}),
		of("apiserver-kubelet-client", clusterCA, place{l.api, "kubelet-client-certificate", "apiserver-kubelet-client"}),
		of("front-proxy-client", frontProxyCA, place{l.api, "proxy-client-cert-file", "front-proxy-client"}),
	}
	client := of("apiserver-etcd-client", etcdCA, place{l.api, "etcd-certfile", "apiserver-etcd-client"})
	client.key = or(l.api["etcd-keyfile"], client.key)
	if !l.localEtcd {
		client.optional = l.api["etcd-certfile"] == ""
		return append(all, client)
	}
	health := of("etcd-healthcheck-client", etcdCA, place{nil, "", "etcd/healthcheck-client"})
	return append(all, client, health,
		of("etcd-server", etcdCA, place{l.etcd, "cert-file", "etcd/server"}),
		of("etcd-peer", etcdCA, place{l.etcd, "peer-cert-file", "etcd/peer"}))
}

// kubeconfigs are the files of kubeadm that hold a client's certificate. The first control
// plane alone has a super-admin.conf.
func kubeconfigs() []item {
	return []item{
		{name: "admin.conf", file: configDir + "/admin.conf", ca: clusterCA},
		{name: "super-admin.conf", file: configDir + "/super-admin.conf", ca: clusterCA, optional: true},
		{name: "controller-manager.conf", file: configDir + "/controller-manager.conf", ca: clusterCA},
		{name: "scheduler.conf", file: configDir + "/scheduler.conf", ca: clusterCA},
	}
}

func (l layout) in(name string) string { return path.Join(l.dir, name) }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Flags reads the flags of a program from the manifest of its static pod.
func Flags(manifest []byte) map[string]string {
	flags := map[string]string{}
	var pod struct {
		Spec struct {
			Containers []struct {
				Command []string `json:"command"`
				Args    []string `json:"args"`
			} `json:"containers"`
		} `json:"spec"`
	}
	if len(manifest) > MostOfFile || yaml.Unmarshal(manifest, &pod) != nil {
		return flags
	}
	for _, c := range pod.Spec.Containers {
		for _, argument := range append(c.Command, c.Args...) {
			if flag, is := strings.CutPrefix(argument, "--"); is {
				name, value, _ := strings.Cut(flag, "=")
				flags[name] = value
			}
		}
	}
	return flags
}
