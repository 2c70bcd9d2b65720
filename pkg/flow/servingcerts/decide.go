// SPDX-License-Identifier: Apache-2.0

package servingcerts

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Request is a request that waits, with what is decided about it.
type Request struct {
	Name string `json:"name"`
	Node string `json:"node"`
	// Names are what the certificate would be valid for.
	Names []string `json:"names,omitempty"`
	// Why it is not approved; empty if it is the node's own.
	Why string `json:"why,omitempty"`
	// Approved says that it was approved by this command.
	Approved bool `json:"approved"`

	csr *certificatesv1.CertificateSigningRequest
}

const (
	nodePrefix = "system:node:"
	nodeGroup  = "system:nodes"
)

// Decide says whether a request is for what its node is: it was made by the node's own
// kubelet, for its name, and for host names and internal addresses that the Node has and no
// other node has. A kubelet writes the addresses of its Node itself, so what means the
// cluster, or any machine, is never approved.
func Decide(csr *certificatesv1.CertificateSigningRequest, nodes []corev1.Node, reserved Reserved) Request {
	r := Request{Name: csr.Name, csr: csr}
	asked, err := parse(csr.Spec.Request)
	if err != nil {
		r.Why = err.Error()
		return r
	}
	r.Names = named(asked)
	if r.Node, err = requester(csr, asked); err == nil {
		err = r.within(asked, nodes, reserved)
	}
	if err != nil {
		r.Why = err.Error()
	}
	return r
}

// parse reads a request whose signature proves that the requester has the key.
func parse(raw []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("it holds no request")
	}
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if err := asked.CheckSignature(); err != nil {
		return nil, fmt.Errorf("its signature is not good: %w", err)
	}
	return asked, nil
}

func named(asked *x509.CertificateRequest) []string {
	all := slices.Clone(asked.DNSNames)
	for _, ip := range asked.IPAddresses {
		all = append(all, ip.String())
	}
	for _, uri := range asked.URIs {
		all = append(all, uri.String())
	}
	return append(all, asked.EmailAddresses...)
}

// requester is the node that asks, in its own name (the rules of the signer: kubernetes,
// pkg/apis/certificates, ValidateKubeletServingCSR).
func requester(csr *certificatesv1.CertificateSigningRequest, asked *x509.CertificateRequest) (string, error) {
	node, is := strings.CutPrefix(csr.Spec.Username, nodePrefix)
	switch {
	case !is || node == "" || !slices.Contains(csr.Spec.Groups, nodeGroup):
		return "", fmt.Errorf("the request was made by %s, which is not a kubelet", text.Brief(csr.Spec.Username))
	case asked.Subject.CommonName != csr.Spec.Username:
		return node, fmt.Errorf("it is for %s, and %s asks for it", text.Brief(asked.Subject.CommonName), text.Brief(csr.Spec.Username))
	case !slices.Equal(asked.Subject.Organization, []string{nodeGroup}):
		return node, errors.New("its organization is not " + nodeGroup)
	case len(asked.URIs) > 0 || len(asked.EmailAddresses) > 0:
		return node, errors.New("it is for a URI or an address of e-mail")
	case len(asked.DNSNames)+len(asked.IPAddresses) == 0:
		return node, errors.New("it is for no address and no name")
	}
	return node, usages(csr.Spec.Usages)
}

func usages(all []certificatesv1.KeyUsage) error {
	if !slices.Contains(all, certificatesv1.UsageServerAuth) {
		return errors.New("it is not for a server")
	}
	for _, u := range all {
		switch u {
		case certificatesv1.UsageServerAuth, certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment:
		default:
			return fmt.Errorf("it is to be used for %s", text.Brief(string(u)))
		}
	}
	return nil
}

// within refuses what the Node does not have, and what others have, too.
func (r Request) within(asked *x509.CertificateRequest, nodes []corev1.Node, reserved Reserved) error {
	at := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == r.Node })
	if at < 0 {
		return fmt.Errorf("there is no Node %s", text.Brief(r.Node))
	}
	own := addresses(nodes[at], corev1.NodeHostName, corev1.NodeInternalIP)
	foreign := map[string]string{}
	for i, n := range nodes {
		if i != at {
			foreign[canonical(n.Name)] = n.Name
		}
		for _, a := range addresses(n, corev1.NodeHostName, corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeInternalDNS,
			corev1.NodeExternalDNS) {
			if i != at {
				foreign[a] = n.Name
			}
		}
	}
	for _, name := range named(asked) {
		what := reserved.why(name, nodes[at])
		switch {
		case what != "":
			return fmt.Errorf("%s is %s", text.Brief(name), text.Brief(what))
		case !slices.Contains(own, canonical(name)):
			return fmt.Errorf("%s is no host name and no internal address of Node %s", text.Brief(name), r.Node)
		case slices.Contains(asked.DNSNames, name) && canonical(name) != canonical(r.Node):
			// Its host name is what the node itself says, and no one here asks the DNS.
			return fmt.Errorf("the DNS name %s is not the name of Node %s", text.Brief(name), r.Node)
		case foreign[canonical(name)] != "":
			return fmt.Errorf("%s is an address of Node %s, too", text.Brief(name), foreign[canonical(name)])
		}
	}
	return nil
}

// addresses are those of a Node of some kinds.
func addresses(n corev1.Node, kinds ...corev1.NodeAddressType) (all []string) {
	for _, a := range n.Status.Addresses {
		if slices.Contains(kinds, a.Type) {
			all = append(all, canonical(a.Address))
		}
	}
	return all
}

// canonical is one form of an address or name.
func canonical(s string) string {
	if ip := net.ParseIP(s); ip != nil {
		return ip.String()
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}
