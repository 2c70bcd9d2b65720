// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// noteFile is beside the authority of the cluster and goes with it, whatever removes
	// that: a removal, "lifecycle-node clean", a bare "kubeadm reset".
	noteFile = CertificatesDir + "/kubectl-lifecycle-init.json"
	// noteTemp begins the name of a note that is being written.
	noteTemp = ".kubectl-lifecycle-init."
)

// note is what Init writes down. Without Authority, nothing of the cluster was there when
// it was written, and at most its authority has been made since.
type note struct {
	// Settings tells whether another order means the same cluster.
	Settings string `json:"settings"`
	// Authority is the SHA-256 of the certificate of the cluster's authority: where it
	// is another one, the note is about a cluster that is gone.
	Authority string `json:"authority"`
	Endpoint  string `json:"endpoint"`
	Assumed   bool   `json:"assumed"`
	Done      bool   `json:"done"`
}

// noted is the note about the cluster whose authority is on the machine; nil if there is
// none.
func (i Init) noted() (*note, error) {
	raw, err := i.Host.ReadLinked(noteFile, mostOfConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var n note
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, plan.Refuse(fmt.Errorf("read %s: %w", noteFile, err), "the note of an earlier init is damaged: lifecycle-node clean takes "+
			"what there is off the host")
	}
	authority, err := i.authority()
	switch {
	case err != nil:
		return nil, err
	case n.Authority == "":
		return i.adopt(n, authority)
	case authority != n.Authority:
		return nil, nil
	}
	return &n, nil
}

// adopt is for a machine that died between the note and the authority, or between the
// authority and its fingerprint in the note: the authority is this cluster's if there is
// nothing of a cluster but the authority. Of anything else it is not known.
func (i Init) adopt(n note, authority string) (*note, error) {
	if _, err := i.Host.Lstat(CertificatesDir + "/ca.key"); authority == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was made
	}
	for dir, known := range map[string][]string{
		"/etc/kubernetes":           {filepath.Base(CertificatesDir), "manifests"},
		"/etc/kubernetes/manifests": nil,
		CertificatesDir:             {"ca.crt", "ca.key", filepath.Base(noteFile)},
	} {
		entries, err := i.Host.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !slices.Contains(known, e.Name()) && !strings.HasPrefix(e.Name(), noteTemp) {
				return nil, nil
			}
		}
	}
	n.Authority = authority
	return &n, nil
}

// authority is the fingerprint of the cluster's authority; empty if there is none.
func (i Init) authority() (string, error) {
	raw, err := i.Host.ReadLinked(CertificatesDir+"/ca.crt", mostOfConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), err
}

// write writes the note whole or not at all.
func (i Init) write(n note) error {
	raw, err := json.Marshal(n)
	if err != nil {
		return err
	}
	path := i.Host.Path(noteFile)
	f, err := os.CreateTemp(filepath.Dir(path), noteTemp+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(os.Rename(f.Name(), path), host.SyncDir(filepath.Dir(path)))
}
