// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

// The names of the authorities, as kubeadm has them.
const (
	clusterCA    = "ca"
	frontProxyCA = "front-proxy-ca"
)

// published is one place where a cluster says which authorities it trusts.
type published struct {
	namespace, name, key string
	// ca is the authority that it is to hold.
	ca string
}

func (p published) String() string { return "configmap " + p.namespace + "/" + p.name + " " + p.key }

// places are all of them.
func places() []published {
	return []published{
		{metav1.NamespacePublic, "cluster-info", "kubeconfig", clusterCA},
		{metav1.NamespaceSystem, "kube-root-ca.crt", "ca.crt", clusterCA},
		{metav1.NamespaceSystem, "extension-apiserver-authentication", "client-ca-file", clusterCA},
		{metav1.NamespaceSystem, "extension-apiserver-authentication", "requestheader-client-ca-file", frontProxyCA},
	}
}

// authorities reads what the cluster publishes. An authority that is in several places has
// one row; a place that lacks the one of the others is a fault of that place.
func (s survey) authorities(ctx context.Context) (p part) {
	seen := map[string]int{} // the row of each fingerprint
	all := map[string][]string{}
	var where []published
	for _, place := range places() {
		raw, err := s.read(ctx, place)
		if err != nil {
			p.miss(place.String(), err)
			continue
		}
		bundle, err := certs.Bundle(raw)
		if err != nil {
			p.row(certs.Row{Name: place.ca, Authority: true, Where: place.String(), ManagedBy: certs.NotRenewed, CannotRead: err.Error()})
			continue
		}
		where = append(where, place)
		for _, c := range bundle {
			d := certs.Describe(c)
			all[place.String()] = append(all[place.String()], d.Fingerprint)
			at, again := seen[d.Fingerprint]
			if !again {
				seen[d.Fingerprint] = len(p.rows)
				p.row(certs.Row{Name: place.ca, Authority: true, Where: place.String(), ManagedBy: certs.NotRenewed}.Of(d))
				continue
			}
			p.rows[at].Notes = append(p.rows[at].Notes, "also in "+place.String())
		}
	}
	differ(p.rows, seen, where, all)
	return p
}

// differ adds a fault to an authority that only some of its places hold.
func differ(rows []certs.Row, seen map[string]int, where []published, all map[string][]string) {
	for fingerprint, at := range seen {
		for _, place := range where {
			if place.ca == rows[at].Name && !slices.Contains(all[place.String()], fingerprint) {
				rows[at].Faults = append(rows[at].Faults, place.String()+" does not hold it")
			}
		}
	}
}

// read returns the PEM of one place.
func (s survey) read(ctx context.Context, place published) ([]byte, error) {
	cm, err := s.cluster.Client.CoreV1().ConfigMaps(place.namespace).Get(ctx, place.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no configmap %s/%s", place.namespace, place.name)
	}
	if err != nil {
		return nil, err
	}
	value := []byte(cm.Data[place.key])
	if place.key != "kubeconfig" {
		return value, nil
	}
	config, err := clientcmd.Load(value)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	var bundle []byte
	for _, c := range config.Clusters {
		bundle = append(append(bundle, c.CertificateAuthorityData...), '\n')
	}
	return bundle, nil
}
