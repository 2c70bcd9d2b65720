// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Identity is what tells this cluster from all others on a host's disk: all of it
// is public. It is known while the host is a node, and written down for the
// second look.
type Identity struct {
	// Authorities are the hashes of the cluster's CA certificates.
	Authorities []string `json:"authorities,omitempty"`
	// Endpoints are the API servers' as "host:port"; never one of the loopback
	// device, which every cluster may have.
	Endpoints []string `json:"endpoints,omitempty"`
	// Keys are the hashes of the public keys with which the cluster vouches for anything:
	// its authorities', and that of its ServiceAccounts' tokens. Who has the private half
	// of one has the cluster.
	Keys []string `json:"keys,omitempty"`
}

// Identify reads the identity from the cluster's CA file and the kubeconfigs of
// this host's own Kubernetes, which hold the CA, too.
func Identify(ca []byte, kubeconfigs ...[]byte) Identity {
	var id Identity
	id.Authorities, _ = certificates(ca)
	id.Authorities = id.Authorities[:min(len(id.Authorities), mostFound)]
	id = id.Signing(ca)
	for _, raw := range kubeconfigs {
		data := regexp.MustCompile(`(?m)^\s*"?certificate-authority-data"?:\s*"?([A-Za-z0-9+/=]+)`)
		for _, found := range data.FindAllSubmatch(raw, mostFound) {
			inner := make([]byte, base64.StdEncoding.DecodedLen(len(found[1])))
			n, _ := base64.StdEncoding.Decode(inner, found[1]) // what is no base64 holds no CA
			id = id.Signing(inner[:n])
			sums, _ := certificates(inner[:n])
			for _, sum := range sums {
				if len(id.Authorities) < mostFound && !slices.Contains(id.Authorities, sum) {
					id.Authorities = append(id.Authorities, sum)
				}
			}
		}
		for _, found := range regexp.MustCompile(`(?m)^\s*"?server"?:\s*"?(https?://[^\s",]+)`).FindAllSubmatch(raw, mostFound) {
			if at := endpoint(string(found[1])); at != "" && !slices.Contains(id.Endpoints, at) {
				id.Endpoints = append(id.Endpoints, at)
			}
		}
	}
	slices.Sort(id.Endpoints)
	return id
}

// Reached adds the API servers at their own addresses.
func (id Identity) Reached(servers []string) Identity {
	for _, server := range servers[:min(len(servers), mostFound)] {
		if at := endpoint(server); at != "" && !slices.Contains(id.Endpoints, at) {
			id.Endpoints = append(id.Endpoints, at)
		}
	}
	slices.Sort(id.Endpoints)
	return id
}

// endpoint is the "host:port" of a URL; empty for one that says nothing about the
// cluster.
func endpoint(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// Reference is how a text refers to a cluster.
type Reference struct {
	// authority: it has the cluster's CA certificate.
	Authority bool
	// endpoint is the one that it names; empty if none.
	endpoint string
	// key: it has a private key of the cluster's, and pinned: the hash of a public one, as who
	// joins is given it.
	key, pinned bool
	// account is whose token it holds, "namespace/name"; empty if none.
	account string
	// cut says that not all of its certificates and tokens were looked at.
	cut bool
}

// Leads reports whether a text leads to the cluster and to no other: only this
// cluster has this CA; its endpoint and a token are a way in without it.
func (r Reference) Leads() bool { return r.Authority || r.endpoint != "" && r.account != "" }

// String says it in words; empty for none. No secret is in it.
func (r Reference) String() string {
	var words []string
	if r.Authority {
		words = append(words, "the cluster's certificate authority")
	}
	if r.key {
		words = append(words, "a private key with which the cluster vouches for anyone")
	}
	if r.pinned {
		words = append(words, "the hash of the cluster's certificate authority, as one joins with it")
	}
	if r.endpoint != "" {
		words = append(words, "its endpoint "+r.endpoint)
	}
	if r.account != "" {
		words = append(words, "a token of ServiceAccount "+r.account)
	}
	if len(words) == 0 && r.cut {
		return "not looked at: it has more certificates, keys or tokens than are read of a file"
	}
	return strings.Join(words, ", ")
}

// mostNested is how often a text is looked at that was encoded once more: a
// kubeconfig holds its CA in base64, and a Secret's dump the kubeconfig.
const mostNested = 3

// Refer finds how a text refers to the cluster. A token counts if it stands
// beside the CA or the endpoint, names the node, or was issued after the join:
// during that time the host was in no other cluster. Nothing is written to find
// out, and the text may be anything.
func (id Identity) Refer(raw []byte, node string, joined time.Time) Reference {
	r := id.holds(raw, 0)
	for _, at := range id.Endpoints {
		if r.endpoint == "" && names(raw, at) {
			r.endpoint = at
		}
	}
	if !bytes.Contains(raw, []byte("eyJ")) {
		return r
	}
	tokens := regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.(eyJ[A-Za-z0-9_-]{8,})\.[A-Za-z0-9_-]+`).FindAllSubmatch(raw, mostFound+1)
	r.cut = r.cut || len(tokens) > mostFound
	for _, token := range tokens[:min(len(tokens), mostFound)] {
		said, is := parseClaims(token[1])
		if !is || r.account != "" {
			continue
		}
		issued := time.Unix(said.IssuedAt, 0)
		if r.Authority || r.endpoint != "" || node != "" && said.node == node || !joined.IsZero() && issued.After(joined) {
			r.account = said.account
		}
	}
	return r
}

// names reports whether a text has a "host:port" as a whole word.
func names(raw []byte, at string) bool {
	part := func(b byte) bool {
		return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '.' || b == '-'
	}
	for rest := raw; ; {
		i := bytes.Index(rest, []byte(at))
		if i < 0 {
			return false
		}
		end := i + len(at)
		before, after := i > 0 && part(rest[i-1]), end < len(rest) && rest[end] >= '0' && rest[end] <= '9'
		if !before && !after {
			return true
		}
		rest = rest[end:]
	}
}

// claims are what a token of a ServiceAccount says about itself.
type claims struct {
	IssuedAt      int64 `json:"iat"`
	account, node string
}

// parseClaims reads the middle part of a token. It reports false for a token of
// anything else: GitHub, a registry, a person's log-in.
func parseClaims(middle []byte) (claims, bool) {
	raw := make([]byte, base64.RawURLEncoding.DecodedLen(len(middle)))
	n, err := base64.RawURLEncoding.Decode(raw, middle)
	if err != nil {
		return claims{}, false
	}
	type named struct {
		Name string `json:"name"`
	}
	var body struct {
		IssuedAt   int64 `json:"iat"`
		Kubernetes *struct {
			Namespace string `json:"namespace"`
			Account   named  `json:"serviceaccount"`
			Node      named  `json:"node"`
		} `json:"kubernetes.io"`
		// Tokens of Secrets, as before Kubernetes 1.24.
		Namespace string `json:"kubernetes.io/serviceaccount/namespace"`
		Name      string `json:"kubernetes.io/serviceaccount/service-account.name"`
	}
	if json.Unmarshal(raw[:n], &body) != nil {
		return claims{}, false
	}
	out := claims{IssuedAt: body.IssuedAt}
	switch {
	case body.Kubernetes != nil && body.Kubernetes.Account.Name != "":
		out.account, out.node = fmt.Sprint(body.Kubernetes.Namespace, "/", body.Kubernetes.Account.Name), body.Kubernetes.Node.Name
	case body.Name != "":
		out.account = body.Namespace + "/" + body.Name
	default:
		return claims{}, false
	}
	out.account = text.Short(out.account, 128)
	return out, true
}
