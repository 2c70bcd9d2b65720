// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"net"
	"net/url"
	"strings"
)

// Address is where every node reaches the API server; no host if nothing in the
// cluster says it.
type Address struct {
	Host, Port string
	// Source says where it was read.
	Source string
}

// securePort is kubeadm's default for the API server.
const securePort = "6443"

// API is where every node reaches the API server: the endpoint that the cluster was
// made with, else what joining nodes are told. It is never read from a person's
// kubeconfig, which may lead through a tunnel that no node has.
func (f Facts) API() Address {
	if a := parseAddress(f.Endpoint); a.Host != "" {
		a.Source = "controlPlaneEndpoint of configmap kube-system/kubeadm-config"
		return a
	}
	server, err := url.Parse(f.Server)
	if err != nil {
		return Address{}
	}
	a := parseAddress(server.Host)
	if a.Host != "" {
		a.Source = "configmap kube-public/cluster-info"
	}
	return a
}

// parseAddress reads HOST, HOST:PORT or [ADDRESS]:PORT; what is none has no host.
func parseAddress(written string) Address {
	host, port, err := net.SplitHostPort(written)
	if err != nil {
		host, port = strings.Trim(written, "[]"), ""
	}
	if port == "" {
		port = securePort
	}
	if strings.ContainsFunc(host+port, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", r)
	}) || host == "" {
		return Address{}
	}
	return Address{Host: host, Port: port}
}
