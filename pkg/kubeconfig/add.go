// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Taken is the state of a name in a kubeconfig.
type Taken int

// The states.
const (
	// Free: no cluster, user or context has the name.
	Free Taken = iota
	// Ours: what has the name is what would be added, or an older form of it: it leads to
	// a cluster of the same authority.
	Ours
	// Foreign: another cluster has the name.
	Foreign
)

// Of says whether a name is free for the cluster of an administrator's kubeconfig; with
// nil for that, whether it is free for any.
func Of(there *api.Config, name string, admin *Admin) Taken {
	cluster, hasCluster := there.Clusters[name]
	_, hasUser := there.AuthInfos[name]
	entry, hasContext := there.Contexts[name]
	switch {
	case !hasCluster && !hasUser && !hasContext:
		return Free
	case admin == nil, !hasCluster, !bytes.Equal(cluster.CertificateAuthorityData, admin.cluster.CertificateAuthorityData):
		return Foreign
	case hasContext && (entry.Cluster != name || entry.AuthInfo != name):
		return Foreign
	}
	return Ours
}

// Admin is the kubeconfig of a new cluster's administrator: one cluster, and one user
// with a certificate.
type Admin struct {
	cluster api.Cluster
	user    api.AuthInfo
}

// ParseAdmin takes from a kubeconfig what a host has sent the cluster and the user of its
// current context. It takes nothing that would run a program, read a file or lead
// elsewhere: the host may be in wrong hands.
func ParseAdmin(raw []byte) (*Admin, error) {
	config, err := clientcmd.Load(raw)
	if err != nil {
		return nil, errors.New("the administrator's kubeconfig cannot be read") // the error could quote it
	}
	entry := config.Contexts[config.CurrentContext]
	if entry == nil || config.Clusters[entry.Cluster] == nil || config.AuthInfos[entry.AuthInfo] == nil {
		return nil, errors.New("the administrator's kubeconfig has no current context")
	}
	c, u := config.Clusters[entry.Cluster], config.AuthInfos[entry.AuthInfo]
	a := &Admin{
		cluster: api.Cluster{Server: c.Server, CertificateAuthorityData: c.CertificateAuthorityData},
		user:    api.AuthInfo{ClientCertificateData: u.ClientCertificateData, ClientKeyData: u.ClientKeyData},
	}
	if a.cluster.Server == "" || len(a.cluster.CertificateAuthorityData) == 0 || len(a.user.ClientCertificateData) == 0 ||
		len(a.user.ClientKeyData) == 0 {
		return nil, errors.New("the administrator's kubeconfig lacks the server, its authority, or the user's certificate")
	}
	return a, nil
}

// Server is the API server's URL.
func (a *Admin) Server() string { return a.cluster.Server }

// Add returns a kubeconfig file with a cluster, a user and a context of one name more,
// and whether that is another one. What one of all the files that kubectl reads together
// has already stays as it is there: an entry in the first file would hide it. The current
// context of all stays, too; an empty one becomes this. It is pure.
func Add(there, all *api.Config, name string, admin *Admin) (*api.Config, bool, error) {
	if Of(all, name, admin) == Foreign || Of(there, name, admin) == Foreign {
		return nil, false, plan.Refuse(fmt.Errorf("the kubeconfig has an entry %q, which leads to another cluster", name),
			"choose another name: --context NAME")
	}
	out := there.DeepCopy()
	// The server stays as well: the authority is public, so that it does not prove that
	// the host which names another server may do so.
	if all.Clusters[name] == nil && out.Clusters[name] == nil {
		out.Clusters[name] = api.NewCluster()
		out.Clusters[name].Server, out.Clusters[name].CertificateAuthorityData = admin.cluster.Server, admin.cluster.CertificateAuthorityData
	}
	if all.AuthInfos[name] == nil && out.AuthInfos[name] == nil { // credentials that a person has chosen stay
		user := api.NewAuthInfo()
		user.ClientCertificateData, user.ClientKeyData = admin.user.ClientCertificateData, admin.user.ClientKeyData
		out.AuthInfos[name] = user
	}
	if all.Contexts[name] == nil && out.Contexts[name] == nil {
		out.Contexts[name] = api.NewContext()
		out.Contexts[name].Cluster, out.Contexts[name].AuthInfo = name, name
	}
	if all.CurrentContext == "" && out.CurrentContext == "" {
		out.CurrentContext = name
	}
	return out, !reflect.DeepEqual(out, there), nil
}

// OtherServer is the server that the entry of a name has, if that is not the one of an
// administrator's kubeconfig; else empty.
func OtherServer(all *api.Config, name string, admin *Admin) string {
	if cluster := all.Clusters[name]; cluster != nil && cluster.Server != admin.cluster.Server {
		return cluster.Server
	}
	return ""
}

// mostOfAnswer bounds an answer of the new cluster's API server, in bytes: the host that
// named it may be in wrong hands. A Node has some ten thousand.
const mostOfAnswer = 4 << 20

// Client speaks with the API server as the administrator. It takes answers up to
// mostOfAnswer.
func (a *Admin) Client() (kubernetes.Interface, error) {
	client, err := kubernetes.NewForConfig(&rest.Config{Host: a.cluster.Server, QPS: -1, TLSClientConfig: rest.TLSClientConfig{
		CAData: a.cluster.CertificateAuthorityData, CertData: a.user.ClientCertificateData, KeyData: a.user.ClientKeyData,
	}, WrapTransport: func(next http.RoundTripper) http.RoundTripper { return bounded{next} }})
	if err != nil {
		return nil, errors.New("the administrator's certificate cannot be used") // the error could quote it
	}
	return client, nil
}

// bounded cuts every answer at mostOfAnswer.
type bounded struct{ next http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err == nil && response.Body != nil {
		response.Body = http.MaxBytesReader(nil, response.Body, mostOfAnswer)
	}
	return response, err
}
