// SPDX-License-Identifier: Apache-2.0

package ownconfig

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"k8s.io/client-go/tools/clientcmd"

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
}

// Find finds the entry that a kubeconfig is used with. It refuses one without a certificate
// in it, and one whose certificate the API server would not issue again.
func Find(loader clientcmd.ClientConfig) (Entry, error) {
	raw, err := loader.RawConfig()
	if err != nil {
		return Entry{}, plan.As(plan.Refused, fmt.Errorf("read the kubeconfig: %w", err))
	}
	context := raw.Contexts[raw.CurrentContext]
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
	return e, nil
}

// Save puts a certificate and its key into the entry, and nothing else. What the file was
// is kept beside it; the name of that is returned.
func (e Entry) Save(certificate, key []byte, suffix string) (kept string, err error) {
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
	if err := place(e.File+".new", after); err != nil {
		return "", fmt.Errorf("write the kubeconfig: %w", err)
	}
	if err := os.Rename(e.File+".new", e.File); err != nil {
		return "", errors.Join(fmt.Errorf("write the kubeconfig: %w", err), os.Remove(e.File+".new"))
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
