// SPDX-License-Identifier: Apache-2.0

package servingcerts

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

type (
	asked = x509.CertificateRequest
	csr   = certificatesv1.CertificateSigningRequest
)

// request is what the kubelet of w1 asks for, changed.
func request(t *testing.T, change func(*asked, *csr)) *csr {
	t.Helper()
	a := &asked{Subject: pkix.Name{CommonName: "system:node:w1", Organization: []string{"system:nodes"}},
		DNSNames: []string{"w1"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.1")}}
	r := &csr{ObjectMeta: metav1.ObjectMeta{Name: "csr-1"},
		Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: certificatesv1.KubeletServingSignerName, Username: "system:node:w1",
			Groups: []string{"system:nodes", "system:authenticated"},
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth}}}
	if change != nil {
		change(a, r)
	}
	if r.Spec.Request != nil {
		return r
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, a, key)
	if err != nil {
		t.Fatal(err)
	}
	r.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return r
}

func nodes() []corev1.Node {
	node := func(name string, addresses ...string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, a := range addresses {
			kind, address, _ := strings.Cut(a, "=")
			n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeAddressType(kind), Address: address})
		}
		return n
	}
	ip := func(a string) string { return "InternalIP=" + a }
	claims := []string{ip("192.0.2.1"), ip("2001:db8::1"), "Hostname=W1", ip("127.0.0.1"), ip("192.0.2.2"), ip("169.254.1.1"),
		ip("10.96.0.1"), ip("::ffff:10.96.0.10"), ip("10.244.1.7"), ip("203.0.113.7"), ip("203.0.113.8"), ip("203.0.113.9"), ip("192.0.2.100"),
		"ExternalIP=198.51.100.1", "InternalDNS=w1.internal"}
	for _, name := range []string{"localhost", "api.example", "alt.example", "lb.example", "x.corp.local", "x.cluster.local",
		"kubernetes.default.svc", "w1.example"} {
		claims = append(claims, "Hostname="+name)
	}
	cp := node("cp1", "Hostname=cp1", ip("192.0.2.10"), ip("192.0.2.100"))
	cp.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	return []corev1.Node{node("w1", claims...), node("w2", ip("192.0.2.2"), "Hostname=w2"), cp}
}

// ofCluster is what is reserved in a cluster whose API servers are at 192.0.2.10.
func ofCluster(tb testing.TB) Reserved {
	tb.Helper()
	r := Reserved{exact: map[string]string{}, networks: map[netip.Prefix]string{}, presented: map[string]bool{"cp1": true,
		"192.0.2.10": true}}
	if err := r.configured(configuration); err != nil {
		tb.Fatal(err)
	}
	r.services([]corev1.Service{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: corev1.ServiceSpec{ClusterIPs: []string{"None", "203.0.113.9"}, ExternalIPs: []string{"203.0.113.8"}},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "203.0.113.7"},
			{Hostname: "lb.example"}}}}}})
	return r
}

const configuration = `kind: ClusterConfiguration
controlPlaneEndpoint: "192.0.2.100:6443"
apiServer: {certSANs: [api.example, alt.example, "*.wild.example"]}
networking: {dnsDomain: corp.local, podSubnet: "10.244.0.0/16"}
`

func forIP(ip string) func(*asked, *csr) {
	return func(a *asked, _ *csr) { a.IPAddresses = append(a.IPAddresses, net.ParseIP(ip)) }
}

func forName(name string) func(*asked, *csr) {
	return func(a *asked, _ *csr) { a.DNSNames = append(a.DNSNames, name) }
}

func ofControlPlane(name, ip string) func(*asked, *csr) {
	return func(a *asked, r *csr) {
		a.Subject.CommonName, r.Spec.Username = "system:node:"+name, "system:node:"+name
		a.DNSNames, a.IPAddresses = []string{name}, []net.IP{net.ParseIP(ip)}
	}
}

func TestOnlyWhatIsTheNodesOwnIsApproved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*asked, *csr)
		why    string
	}{
		"its name and address": {nil, ""},
		"several of its own": {func(a *asked, _ *csr) {
			a.DNSNames = []string{"W1."}
			a.IPAddresses = append(a.IPAddresses, net.ParseIP("2001:db8::1"))
		}, ""},
		"a foreign address":                   {forIP("192.0.2.9"), "no host name and no internal address of Node w1"},
		"a host name that it gives itself":    {forName("w1.example"), "the DNS name w1.example is not the name of Node w1"},
		"a Service as pods may call it":       {forName("web.shop"), "an address of Service shop/web"},
		"one for which a certificate is good": {forName("x.wild.example"), "a name of the API servers (certSANs)"},
		"a foreign name":                      {forName("bank.example"), "bank.example is no host name"},
		"another node's address":              {forIP("192.0.2.2"), "192.0.2.2 is an address of Node w2, too"},
		"a loopback":                          {forIP("127.0.0.1"), "of the cluster, or of any machine"},
		"localhost":                           {forName("localhost"), "of the cluster, or of any machine"},
		"a Service":                           {forName("kubernetes.default.svc"), "of the cluster, or of any machine"},
		"a wildcard":                          {forName("*.example"), "of the cluster, or of any machine"},
		"its external address":                {forIP("198.51.100.1"), "no host name and no internal address"},
		"a name in its internal DNS":          {forName("w1.internal"), "no host name"},
		"a link-local address":                {forIP("169.254.1.1"), "of any machine"},
		"the endpoint":                        {forIP("192.0.2.100"), "the endpoint of the API servers"},
		"an API server's address":             {forIP("192.0.2.10"), "in the certificate of an API server"},
		"an API server's name":                {forName("CP1"), "in the certificate of an API server"},
		"a name of certSANs":                  {forName("api.example"), "certSANs"},
		"the address of a Service":            {forIP("10.96.0.1"), "in the network of Services"},
		"a Service's address, mapped":         {forIP("::ffff:10.96.0.10"), "in the network of Services"},
		"a Service's other address":           {forIP("203.0.113.9"), "an address of Service shop/web"},
		"an external address of a Service":    {forIP("203.0.113.8"), "an address of Service shop/web"},
		"the address of a load balancer":      {forIP("203.0.113.7"), "an address of Service shop/web"},
		"the name of a load balancer":         {forName("lb.example"), "an address of Service shop/web"},
		"the address of a pod":                {forIP("10.244.1.7"), "in the network of pods"},
		"a name in the cluster's domain":      {forName("x.corp.local"), "of the cluster"},
		"a name in the usual domain":          {forName("x.cluster.local"), "of the cluster"},
		"a control plane's own":               {ofControlPlane("cp1", "192.0.2.10"), ""},
		"a control plane: the endpoint":       {ofControlPlane("cp1", "192.0.2.100"), "the endpoint of the API servers"},
		"nothing":                             {func(a *asked, _ *csr) { a.DNSNames, a.IPAddresses = nil, nil }, "no address and no name"},
		"a URI":                               {func(a *asked, _ *csr) { a.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }, "URI"},
		"another node asks":                   {func(_ *asked, r *csr) { r.Spec.Username = "system:node:w2" }, "it is for system:node:w1"},
		"a person asks":                       {func(_ *asked, r *csr) { r.Spec.Username = "ann" }, "is not a kubelet"},
		"one who is in no group":              {func(_ *asked, r *csr) { r.Spec.Groups = nil }, "is not a kubelet"},
		"another organization":                {func(a *asked, _ *csr) { a.Subject.Organization = []string{"system:masters"} }, "organization"},
		"more organizations": {func(a *asked, _ *csr) { a.Subject.Organization = append(a.Subject.Organization, "system:masters") },
			"organization"},
		"for a client": {func(_ *asked, r *csr) {
			r.Spec.Usages = append(r.Spec.Usages, certificatesv1.UsageClientAuth)
		}, "client auth"},
		"not for a server": {func(_ *asked, r *csr) { r.Spec.Usages = r.Spec.Usages[:1] }, "not for a server"},
		"a node that is not there": {func(a *asked, r *csr) { r.Spec.Username, a.Subject.CommonName = "system:node:w9", "system:node:w9" },
			"no Node w9"},
		"garbage": {func(_ *asked, r *csr) { r.Spec.Request = []byte("x") }, "no request"},
		"PEM and garbage": {func(_ *asked, r *csr) {
			r.Spec.Request = []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")
		}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decide(request(t, c.change), nodes(), ofCluster(t))
			if (got.Why == "") != (c.why == "") || !strings.Contains(got.Why, c.why) {
				t.Errorf("%q, want %q", got.Why, c.why)
			}
		})
	}
}

// cluster is one whose API server is here, of these objects.
func cluster(t *testing.T, objects ...runtime.Object) runner.Cluster {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	return runner.Cluster{Client: fake.NewClientset(objects...), Config: &rest.Config{Host: server.URL}}
}

func configMap(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"},
		Data: map[string]string{"ClusterConfiguration": text}}
}

func TestWhatWaitsIsReadAndApproved(t *testing.T) {
	mine := request(t, nil)
	done := request(t, func(_ *asked, r *csr) {
		r.Name, r.Status.Certificate = "csr-2", []byte("x")
	})
	other := request(t, func(_ *asked, r *csr) {
		r.Name, r.Spec.SignerName = "csr-3", "x/y"
	})
	all := nodes()
	c := cluster(t, mine, done, other, &all[0], &all[1], configMap(configuration))
	got, err := Survey(t.Context(), c)
	if err != nil || len(got) != 1 || got[0].Name != "csr-1" || got[0].Why != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := Approve(t.Context(), c.Client, got[0], "ann"); err != nil {
		t.Fatal(err)
	}
	if got, err = Survey(t.Context(), c); err != nil || len(got) != 0 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// What the names of the cluster are has to be known before anything is approved.
func TestNothingIsApprovedWhereTheClustersNamesAreNotKnown(t *testing.T) {
	all := nodes()
	for name, change := range map[string]func(c *runner.Cluster) []runtime.Object{
		"there is no kubeadm-config": func(*runner.Cluster) []runtime.Object { return nil },
		"it is junk":                 func(*runner.Cluster) []runtime.Object { return []runtime.Object{configMap("[")} },
		"it is empty":                func(*runner.Cluster) []runtime.Object { return []runtime.Object{configMap("")} },
		"no API server is seen": func(c *runner.Cluster) []runtime.Object {
			c.Config = &rest.Config{Host: "https://127.0.0.1:1"}
			return []runtime.Object{configMap(configuration)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			c.Client = fake.NewClientset(append(change(&c), request(t, nil), &all[0])...)
			if got, err := Survey(t.Context(), c); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || len(got) > 0 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &csr{Spec: certificatesv1.CertificateSigningRequestSpec{Request: raw}}
		if Decide(r, nodes(), ofCluster(t)).Why == "" {
			t.Error("a request of no one is approved")
		}
	})
}
