// SPDX-License-Identifier: Apache-2.0

// Package etcdtest is an etcd cluster for tests: members that serve the JSON
// gateway over TLS, know of each other and elect no leader.
package etcdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd"
)

// Cluster is an etcd cluster; its members have the numbers 0xa1, 0xa2 and so on.
type Cluster struct {
	// CA, Cert and Key are PEM files that members and clients use alike.
	CA, Cert, Key []byte
	// Snapshot are the lines of a snapshot's stream.
	Snapshot []string

	mu      sync.Mutex
	members map[etcd.ID]etcd.Member
	dead    map[etcd.ID]bool
	leader  etcd.ID
	servers map[etcd.ID]*httptest.Server
	asked   []string
}

// Serve starts a cluster with members of some names; the first leads.
func Serve(t *testing.T, names ...string) *Cluster {
	t.Helper()
	c := &Cluster{members: map[etcd.ID]etcd.Member{}, dead: map[etcd.ID]bool{}, servers: map[etcd.ID]*httptest.Server{}, leader: 0xa1}
	c.certify(t)
	pair, err := tls.X509KeyPair(c.Cert, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		id := etcd.ID(0xa1 + i)
		server := httptest.NewUnstartedServer(c.serve(id))
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(c.CA)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
			MinVersion: tls.VersionTLS12}
		server.StartTLS()
		t.Cleanup(server.Close)
		c.servers[id] = server
		c.members[id] = etcd.Member{ID: id, Name: name, PeerURLs: []string{"https://" + name + ":2380"}, ClientURLs: []string{server.URL}}
	}
	return c
}

// URL is where a member is asked.
func (c *Cluster) URL(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers[c.id(name)].URL
}

// Kill makes a member answer nothing any more.
func (c *Cluster) Kill(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead[c.id(name)] = true
}

// Names are the members' names, sorted.
func (c *Cluster) Names() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// Asked is what the cluster was asked to change, in order.
func (c *Cluster) Asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *Cluster) id(name string) etcd.ID {
	for id, server := range c.servers {
		if c.members[id].Name == name && server != nil {
			return id
		}
	}
	return 0
}

// certify makes one certificate that is its own authority.
func (c *Cluster) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "etcd"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	c.Cert, c.Key = c.CA, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// serve is one member's gateway.
func (c *Cluster) serve(self etcd.ID) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, is := c.members[self]; !is || c.dead[self] {
			panic(http.ErrAbortHandler) // a member that was removed ends
		}
		var q struct {
			ID           etcd.ID
			TargetID     etcd.ID `json:"targetID"`
			Linearizable bool    `json:"linearizable"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if r.URL.Path == "/v3/maintenance/snapshot" && len(c.Snapshot) > 0 {
			_, _ = io.WriteString(w, strings.Join(c.Snapshot, "\n")+"\n") // who asks sees what is missing
			return
		}
		answer, refusal := c.answer(self, r.URL.Path, q.ID, q.TargetID, q.Linearizable)
		if refusal != "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			answer = map[string]any{"message": refusal, "code": 14}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (c *Cluster) answer(self etcd.ID, path string, id, target etcd.ID, linearizable bool) (answer map[string]any, refusal string) {
	quorum := 0
	for id := range c.members {
		if !c.dead[id] {
			quorum++
		}
	}
	agreed := quorum > len(c.members)/2
	head := map[string]any{"cluster_id": etcd.ID(0xc1), "member_id": self}
	switch {
	case path == "/v3/maintenance/status":
		leader := c.leader
		if !agreed || c.dead[leader] {
			leader = 0
		}
		return map[string]any{"header": head, "version": "3.6.0", "leader": leader, "raftIndex": fmt.Sprint(100 + int(self))}, ""
	case !agreed && (linearizable || !strings.HasSuffix(path, "/list")):
		return nil, "etcdserver: request timed out"
	case path == "/v3/cluster/member/list":
		return map[string]any{"header": head, "members": slices.Collect(maps.Values(c.members))}, ""
	case path == "/v3/maintenance/transfer-leadership":
		if self != c.leader {
			return nil, "etcdserver: not leader"
		}
		c.leader = target
		c.asked = append(c.asked, "leader "+c.members[target].Name)
	case path == "/v3/cluster/member/remove":
		m, is := c.members[id]
		if !is {
			return nil, "etcdserver: member not found"
		}
		delete(c.members, id)
		c.asked = append(c.asked, "remove "+m.Name+" through "+c.members[self].Name)
	}
	return map[string]any{"header": head}, ""
}
