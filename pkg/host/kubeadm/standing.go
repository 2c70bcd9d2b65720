// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"regexp"
	"strings"
)

// Standing is where a host is on its way to another cluster.
type Standing int

// The standings.
const (
	// Apart: it is no node there. It may be cleaned, and join.
	Apart Standing = iota
	// Arrived: it is a node there, and may run pods. It is never cleaned.
	Arrived
	// Elsewhere: since it was cleaned, something else has made it a node of a
	// third cluster, or is about to. It is not touched.
	Elsewhere
)

// Whose says which cluster a kubelet.conf is for.
type Whose int

// The clusters that a kubelet.conf may be for.
const (
	NoOne   Whose = iota // there is none
	Theirs               // it trusts the destination's CA
	Others               // it trusts another CA
	Unclear              // it is damaged: a kubelet does not write it in one piece
)

// Trace is what is on the disk of a host that was to join. The state of the
// kubelet's unit is no part of it: a kubelet that crashes or is still about to
// start is a node as soon as it starts.
type Trace struct {
	// Noted says that kubeadm has ended well, and that this was written down.
	Noted bool
	// Cleaned says that the host had left its old cluster before: whatever is
	// there now came after that.
	Cleaned bool
	// Kubeconfig is whose kubelet.conf there is; Endpoint says that it also
	// names the destination's endpoint.
	Kubeconfig Whose
	Endpoint   bool
	// Certificate says that the kubelet has the client certificate which its
	// kubelet.conf names. The kubelet writes that file before it has one
	// (LoadClientConfig in pkg/kubelet/certificate/bootstrap, Kubernetes 1.36),
	// and only with one it can become a node.
	Certificate bool
}

// Standing decides by what is on the disk, and is pure. Where it is not clear
// whether a host has joined, it has: an old node that is not cleaned is a
// nuisance, a new one that is cleaned is a loss.
func (t Trace) Standing() Standing {
	switch {
	case t.Noted:
		return Arrived
	case t.Kubeconfig == NoOne:
		return Apart
	case t.Cleaned && t.Kubeconfig == Others:
		return Elsewhere
	case t.Certificate && t.Cleaned:
		return Arrived
	case t.Certificate && t.Kubeconfig == Theirs && t.Endpoint:
		return Arrived
	}
	return Apart // the old cluster's, or of a kubelet that no cluster has accepted yet
}

// kubeconfig is what is read of a kubelet.conf. It is found line by line, not
// decoded: the kubelet writes it, and one that is damaged is to be told from one
// that is not there.
type kubeconfig struct {
	ca          []byte // PEM; empty if it names a file, or nothing
	caFile      string
	server      string
	certificate string // a file
	embedded    bool   // the certificate is in it
}

// parseKubeconfig reads a kubelet.conf, whatever is in it.
func parseKubeconfig(raw []byte) kubeconfig {
	value := func(key string) string {
		found := regexp.MustCompile(`(?m)^[ \t-]*` + key + `:[ \t]*["']?([^\s"']+)`).FindSubmatch(raw)
		if found == nil {
			return ""
		}
		return string(found[1])
	}
	ca, err := base64.StdEncoding.DecodeString(value("certificate-authority-data"))
	if err != nil {
		ca = nil
	}
	return kubeconfig{
		ca: ca, caFile: value("certificate-authority"), server: value("server"),
		certificate: value("client-certificate"), embedded: value("client-certificate-data") != "",
	}
}

// names reports whether it is for the API server at an endpoint (HOST:PORT).
func (k kubeconfig) names(endpoint string) bool {
	server := strings.TrimSuffix(strings.TrimPrefix(k.server, "https://"), "/")
	return endpoint != "" && strings.EqualFold(server, endpoint)
}

// sharesCertificate reports whether two PEM bundles have a certificate in common.
func sharesCertificate(a, b []byte) bool {
	have := map[string]bool{}
	for _, one := range certificates(a) {
		have[string(one)] = true
	}
	for _, one := range certificates(b) {
		if have[string(one)] {
			return true
		}
	}
	return false
}

// certificates are those of a PEM bundle, each in DER.
func certificates(bundle []byte) [][]byte {
	var out [][]byte
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" && len(bytes.TrimSpace(block.Bytes)) > 0 {
			out = append(out, block.Bytes)
		}
	}
	return out
}
