// SPDX-License-Identifier: Apache-2.0

package kubeletcert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// clear keeps what the kubelet has, and takes away what it would end over.
func (r recovery) clear(had before) (backup string, err error) {
	if backup, err = r.keep(); err != nil {
		return backup, fmt.Errorf("keep the kubelet's earlier files: %w", err)
	}
	if had.certificate != nil {
		return backup, nil
	}
	if err := r.discard(); err != nil {
		return backup, fmt.Errorf("remove the kubelet's file without a certificate: %w", err)
	}
	return backup, nil
}

// keep copies what the kubelet may replace, for root alone. A removal of the host takes it.
func (r recovery) keep() (dir string, err error) {
	dir = inventory.RenewalBackups + r.now().UTC().Format("20060102T150405.000Z")
	for _, path := range []string{kubeletConf, current, bootstrapConf} {
		raw, err := r.host.ReadLinked(path, mostOfFile)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = host.MakeDir(r.host.Path(dir), 0o700)
		}
		if err == nil {
			err = r.write(filepath.Join(dir, filepath.Base(path)), raw)
		}
		if err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// discard removes the kubelet's file that has no certificate in it, and what it leads to: a kubelet
// ends over such a file, also where it could ask for another certificate (Kubernetes 1.36,
// k8s.io/client-go, util/certificate/certificate_store.go). What it held is kept.
func (r recovery) discard() error {
	paths := []string{current}
	target, err := r.host.Readlink(current)
	if own, _ := filepath.Match("kubelet-client-*.pem", filepath.Base(target)); err == nil && own {
		paths = append(paths, filepath.Join(filepath.Dir(current), filepath.Base(target)))
	}
	for _, path := range paths {
		if err := os.Remove(r.host.Path(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
