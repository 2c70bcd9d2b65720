// SPDX-License-Identifier: Apache-2.0

package ownconfig

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// masters is the group that the API server lets no one have a certificate for.
const masters = "system:masters"

// Entry is the user of a kubeconfig whose certificate is renewed.
type Entry struct {
	// File is where it is, User its name there.
	File, User string
	// Certificate is the one that it has.
	Certificate *x509.Certificate
	// authorities are those of the cluster that the entry is used with: no other may sign.
	authorities *x509.CertPool
}

// Find finds the entry that a kubeconfig is used with. It refuses one without a certificate
// in it, and one whose certificate the API server would not issue again. name is the context
// that was asked for; empty is the current one. A kubeconfig that is read knows nothing of
// what was asked for.
func Find(loader clientcmd.ClientConfig, name string) (Entry, error) {
	raw, err := loader.RawConfig()
	if err != nil {
		return Entry{}, plan.As(plan.Refused, fmt.Errorf("read the kubeconfig: %w", err))
	}
	context := raw.Contexts[cmp.Or(name, raw.CurrentContext)]
	if context == nil || raw.AuthInfos[context.AuthInfo] == nil {
		return Entry{}, plan.Refuse(errors.New("the kubeconfig has no user"), "choose a context that has one: --context")
	}
	user := raw.AuthInfos[context.AuthInfo]
	e := Entry{File: user.LocationOfOrigin, User: context.AuthInfo}
	if len(user.ClientCertificateData) == 0 {
		return e, plan.Refuse(fmt.Errorf("user %s of the kubeconfig holds no certificate", text.Quote(e.User)),
			"only a certificate in the file itself is renewed; a token, a program or a file of its own is renewed where it comes from")
	}
	all, err := certs.Bundle(user.ClientCertificateData)
	if err != nil {
		return e, plan.Refuse(fmt.Errorf("the certificate of user %s cannot be read: %w", text.Quote(e.User), err),
			"copy the kubeconfig again")
	}
	e.Certificate = all[0]
	if slices.Contains(e.Certificate.Subject.Organization, masters) {
		return e, plan.Refuse(fmt.Errorf("the certificate of user %s is of group %s, for which the API server issues none",
			text.Quote(e.User), masters), "copy it again from a control plane: /etc/kubernetes/super-admin.conf, or rather admin.conf")
	}
	e.authorities, err = authorities(raw.Clusters[context.Cluster])
	return e, err
}

// authorities are those of a cluster, from its entry or the file that this names.
func authorities(cluster *clientcmdapi.Cluster) (*x509.CertPool, error) {
	if cluster == nil {
		return nil, plan.Refuse(errors.New("the context's cluster is not in the kubeconfig"), "see: kubectl config view")
	}
	raw := cluster.CertificateAuthorityData
	if len(raw) == 0 && cluster.CertificateAuthority != "" {
		var err error
		if raw, err = os.ReadFile(cluster.CertificateAuthority); err != nil {
			return nil, plan.As(plan.Refused, fmt.Errorf("read the cluster's authority: %w", err))
		}
	}
	all, err := certs.Bundle(raw)
	if err != nil {
		return nil, plan.Refuse(fmt.Errorf("the authority of the context's cluster cannot be read: %w", err),
			"a certificate is only taken from a cluster whose authority the kubeconfig names")
	}
	pool := x509.NewCertPool()
	for _, one := range all {
		pool.AddCert(one)
	}
	return pool, nil
}

// Save puts a certificate and its key into the entry, and nothing else. What the file was
// is kept beside it; the name of that is returned.
func (e Entry) Save(certificate, key []byte, suffix string) (kept string, err error) {
	file, err := filepath.EvalSymlinks(e.File) // a link stays one
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	e.File = file
	before, err := os.ReadFile(e.File)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	config, err := clientcmd.Load(before)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	user := config.AuthInfos[e.User]
	if user == nil {
		return "", fmt.Errorf("%s has no user %s any more", e.File, text.Quote(e.User))
	}
	user.ClientCertificateData, user.ClientKeyData = certificate, key
	user.ClientCertificate, user.ClientKey = "", ""
	after, err := clientcmd.Write(*config)
	if err != nil {
		return "", fmt.Errorf("encode the kubeconfig: %w", err)
	}
	kept = e.File + ".before-" + suffix
	if err := place(kept, before); err != nil {
		return "", fmt.Errorf("keep the earlier kubeconfig: %w", err)
	}
	next := e.File + ".new-" + suffix
	if err := place(next, after); err != nil {
		return "", errors.Join(fmt.Errorf("write the kubeconfig: %w", err), os.Remove(kept))
	}
	if now, err := os.ReadFile(e.File); err != nil || !bytes.Equal(now, before) {
		return "", errors.Join(fmt.Errorf("%s has changed since it was read; run the command again", e.File), err, os.Remove(next),
			os.Remove(kept))
	}
	if err := os.Rename(next, e.File); err != nil {
		return "", errors.Join(fmt.Errorf("write the kubeconfig: %w", err), os.Remove(next), os.Remove(kept))
	}
	return kept, nil
}

// place writes a file that is not there yet, for its owner alone.
func place(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
