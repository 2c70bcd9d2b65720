// SPDX-License-Identifier: Apache-2.0

package newcontrolplane

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"slices"

	certutil "k8s.io/client-go/util/cert"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// verify refuses files that are not what was asked for: what answers in a control plane's
// name may be something else, since an API server does not verify kubelets unless it was
// told to (--kubelet-certificate-authority). All names must be kubeadm's, each file must
// open with the key, the authorities must fit their keys, and the first of them must be
// the one that hosts of this cluster trust.
func verify(files map[string][]byte, about join.Cluster, key certificates.Key) error {
	strange := func(err error) error {
		return plan.Refuse(fmt.Errorf("what the control plane's host sent are not this cluster's certificates: %w", err),
			"find out what answers there on port 10250; until then nothing is joined")
	}
	names := []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"}
	pairs := [][2]string{{"ca.crt", "ca.key"}, {"front-proxy-ca.crt", "front-proxy-ca.key"}}
	if about.ExternalEtcd == nil {
		names, pairs = append(names, "etcd-ca.crt", "etcd-ca.key"), append(pairs, [2]string{"etcd-ca.crt", "etcd-ca.key"})
	} else {
		names = append(names, "external-etcd-ca.crt", "external-etcd.crt", "external-etcd.key")
	}
	for _, name := range names {
		if _, there := files[name]; !there {
			return strange(fmt.Errorf("there is no %s", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !slices.Contains(names, name) {
			return strange(fmt.Errorf("there is a %s", text.Brief(name)))
		}
	}
	plain := map[string][]byte{}
	for name, sealed := range files {
		if len(sealed) == 0 {
			continue
		}
		var err error
		if plain[name], err = key.Open(sealed); err != nil {
			return strange(fmt.Errorf("%s: %w", name, err))
		}
	}
	for _, pair := range pairs {
		if _, err := tls.X509KeyPair(plain[pair[0]], plain[pair[1]]); err != nil {
			return strange(fmt.Errorf("%s and %s: %w", pair[0], pair[1], err))
		}
	}
	cas, err := certutil.ParseCertsPEM(plain["ca.crt"])
	if err != nil {
		return strange(fmt.Errorf("ca.crt: %w", err))
	}
	if !slices.Contains(about.Pins, join.Pin(cas[0])) {
		return strange(errors.New("ca.crt is another authority than that of cluster-info"))
	}
	return nil
}
