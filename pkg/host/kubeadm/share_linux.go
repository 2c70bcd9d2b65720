// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Shared are the files of a control plane that another one needs, and where this host
// has them.
type Shared struct {
	Host host.Local
	// Dir is the directory of the certificates; empty means CertificatesDir.
	Dir string
	// External are the CA, certificate and key for an etcd of its own hosts, each
	// empty if there is none; nil where etcd runs on the control planes.
	External *[3]string
}

// file is one of them: its name as a key of secret kubeadm-certs, and its path here.
type file struct {
	path string
	// optional is true of what kubeadm can do without.
	optional bool
}

// files are all of them (kubeadm 1.36, app/phases/copycerts).
func (s Shared) files() map[string]file {
	dir := cmp.Or(s.Dir, CertificatesDir)
	in := func(name string) file { return file{path: filepath.Join(dir, name)} }
	all := map[string]file{
		"ca.crt": in("ca.crt"), "ca.key": in("ca.key"), "front-proxy-ca.crt": in("front-proxy-ca.crt"),
		"front-proxy-ca.key": in("front-proxy-ca.key"), "sa.pub": in("sa.pub"), "sa.key": in("sa.key"),
	}
	if s.External == nil {
		all["etcd-ca.crt"], all["etcd-ca.key"] = in("etcd/ca.crt"), in("etcd/ca.key")
		return all
	}
	for i, name := range []string{"external-etcd-ca.crt", "external-etcd.crt", "external-etcd.key"} {
		all[name] = file{path: s.External[i], optional: true}
	}
	return all
}

// Encrypt reads the files and encrypts each with a key of 16, 24 or 32 bytes, as
// kubeadm does: AES-GCM, the nonce first. missing are paths of files that are not
// there and that kubeadm cannot do without. It refuses a path that is not absolute.
func (s Shared) Encrypt(key []byte) (encrypted map[string][]byte, missing []string, err error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("use the key of the certificates: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, err
	}
	encrypted = map[string][]byte{}
	all := s.files()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		encrypted[name] = nil
		if f.path == "" && f.optional {
			continue
		}
		if !filepath.IsAbs(f.path) || filepath.Clean(f.path) != f.path || strings.ContainsRune(f.path, 0) {
			return nil, nil, plan.Refuse(fmt.Errorf("%q is no path of a certificate", f.path),
				"correct it: kubectl -n kube-system edit configmap kubeadm-config")
		}
		plain, err := s.Host.ReadLinked(f.path, mostOfConfig)
		switch {
		case errors.Is(err, os.ErrNotExist):
			missing = append(missing, f.path)
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("read %s: %w", f.path, err)
		}
		nonce := make([]byte, seal.NonceSize())
		_, _ = rand.Read(nonce) // never fails (crypto/rand)
		encrypted[name] = seal.Seal(nonce, nonce, plain, nil)
	}
	return encrypted, missing, nil
}
