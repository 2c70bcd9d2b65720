// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The bounds of what is looked at beside what is expected.
const (
	mostOthers = 200
	mostDepth  = 5
	mostHomes  = 50
)

// kubeconfig reads a kubeconfig with a client's certificate in it.
func (r *reader) kubeconfig(it item) {
	row := Row{Name: it.name, Where: it.file, CA: it.ca, ManagedBy: ByKubeadm, Optional: it.optional}
	defer func() { r.rows = append(r.rows, row) }()
	raw, mode, err := r.fileMode(it.file)
	if errors.Is(err, fs.ErrNotExist) {
		row.IsMissing = true
		return
	}
	var k Kubeconfig
	if err == nil {
		k, err = ParseKubeconfig(raw)
	}
	if err != nil {
		row.CannotRead = err.Error()
		return
	}
	row.mode(it.file, mode)
	r.client(&row, k)
	if r.keyless[it.ca] {
		row.ExternallyManaged, row.ManagedBy = true, External
	}
}

// client reads the certificate of a kubeconfig, in it or in a file of its own.
func (r *reader) client(row *Row, k Kubeconfig) {
	raw, key := k.Certificate, k.key
	if len(raw) == 0 && k.CertificateFile != "" {
		row.Notes = append(row.Notes, "its certificate is in "+k.CertificateFile)
		var err error
		if raw, err = r.file(k.CertificateFile); err != nil {
			row.CannotRead = k.CertificateFile + ": " + missingOr(err)
			return
		}
		key, _ = r.file(k.KeyFile) // a key that cannot be read does not match
	}
	if len(raw) == 0 {
		row.CannotRead = "it holds no client certificate"
		return
	}
	all := row.take(raw)
	if len(all) == 0 {
		return
	}
	r.chain(row, all)
	row.prove(matches(all[0], key))
	if authorities, err := Bundle(k.CA); err == nil && !shares(authorities, r.known[clusterCA]) && len(r.known[clusterCA]) > 0 {
		row.Faults = append(row.Faults, "it trusts another authority than the cluster's")
	}
}

func shares(a, b []*x509.Certificate) bool {
	return slices.ContainsFunc(a, func(c *x509.Certificate) bool {
		return slices.ContainsFunc(b, func(other *x509.Certificate) bool { return bytes.Equal(c.Raw, other.Raw) })
	})
}

// kubelet reads what the kubelet renews by itself, and whether it can.
func (r *reader) kubelet() {
	row := Row{Name: "kubelet-client", Where: kubeletDir + "/kubelet-client-current.pem", CA: clusterCA, ManagedBy: ByKubelet}
	conf, err := r.file(configDir + "/kubelet.conf")
	var k Kubeconfig
	if err == nil {
		k, err = ParseKubeconfig(conf)
	}
	switch {
	case err != nil:
		row.Faults = append(row.Faults, configDir+"/kubelet.conf: "+missingOr(err))
	case len(k.Certificate) > 0:
		// The kubelet renews the file, and goes on with what is in kubelet.conf
		// (kubernetes/kubeadm#2054).
		r.kubeconfig(item{name: "kubelet.conf", file: configDir + "/kubelet.conf", ca: clusterCA})
		last := &r.rows[len(r.rows)-1]
		last.ManagedBy = NotRenewed
		last.Faults = append(last.Faults, "it holds a certificate of its own, which nothing renews: it should name "+row.Where)
	case k.CertificateFile != "":
		row.Where = k.CertificateFile
	}
	r.withKey(&row)
	r.rows = append(r.rows, row)
	serving := Row{Name: "kubelet-server", Where: kubeletDir + "/kubelet-server-current.pem", CA: clusterCA, ManagedBy: ByKubelet}
	if _, err := r.file(serving.Where); errors.Is(err, fs.ErrNotExist) {
		serving.Where, serving.CA, serving.ManagedBy = kubeletDir+"/kubelet.crt", "", NotRenewed
		serving.Optional = true // its files may be given otherwise
		serving.Notes = []string{"signed by itself: the API server does not check it"}
	}
	r.withKey(&serving)
	r.rows = append(r.rows, serving)
}

// withKey reads a file that holds a certificate and its key, or has the key beside it.
func (r *reader) withKey(row *Row) {
	all := r.certificate(row)
	if len(all) == 0 {
		return
	}
	if row.CA != "" {
		r.chain(row, all)
	}
	file := row.Where
	if path.Ext(file) == ".crt" {
		file = strings.TrimSuffix(file, ".crt") + ".key"
	}
	raw, mode, err := r.fileMode(file)
	if err != nil {
		row.Faults = append(row.Faults, "its key cannot be read: "+missingOr(err))
		return
	}
	row.prove(matches(all[0], raw))
	row.mode(file, mode)
}

// copies reads kubeconfigs of people that hold a certificate of this cluster
// (m-lab/k8s-support#446: they are not renewed with what they were copied from).
func (r *reader) copies() {
	homes := []string{"/root"}
	entries, _ := fs.ReadDir(r.fsys, "home") // a host may have none
	for _, e := range entries[:min(len(entries), mostHomes)] {
		homes = append(homes, "/home/"+e.Name())
	}
	for _, home := range homes {
		file := home + "/.kube/config"
		raw, mode, err := r.fileMode(file)
		if err != nil {
			continue
		}
		k, err := ParseKubeconfig(raw)
		authorities, caErr := Bundle(k.CA)
		if err != nil || caErr != nil || len(k.Certificate) == 0 || !shares(authorities, r.known[clusterCA]) {
			continue // it is of another cluster, or holds no certificate
		}
		row := Row{Name: file, Where: file, CA: clusterCA, ManagedBy: NotRenewed, Notes: []string{"a copy: no program renews it"}}
		row.mode(file, mode)
		r.client(&row, k)
		r.rows = append(r.rows, row)
	}
}

// others reads what else is below the directory of certificates.
func (r *reader) others() {
	root := strings.TrimPrefix(r.l.dir, "/")
	left := mostOthers
	_ = fs.WalkDir(r.fsys, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case entry.IsDir():
			// What begins with a dot is what a renewal works with.
			if strings.Count(strings.TrimPrefix(name, root), "/") > mostDepth || strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		case left == 0:
			return fs.SkipAll
		}
		file := "/" + name
		if ext := path.Ext(file); r.read[file] || ext != ".crt" && ext != ".pem" && ext != ".cert" {
			return nil
		}
		left--
		r.other(file)
		return nil
	})
}

func (r *reader) other(file string) {
	row := Row{Name: strings.TrimPrefix(file, r.l.dir+"/"), Where: file, ManagedBy: NotRenewed}
	all := r.certificate(&row)
	if len(all) > 0 {
		row.Authority = all[0].IsCA
		for name, authorities := range r.known {
			if why, _ := signed(all[0], authorities); why == "" && len(authorities) > 0 {
				row.CA = name
			}
		}
	}
	r.rows = append(r.rows, row)
}

// serviceAccounts is the public part of the key that signs the tokens of ServiceAccounts.
// The API servers check with sa.pub what the controller manager signs with sa.key.
func (r *reader) serviceAccounts() string {
	row := Row{Name: "sa.key", Where: r.l.in("sa.key"), ManagedBy: NotRenewed}
	raw, mode, err := r.fileMode(row.Where)
	if err != nil {
		row.IsMissing, row.CannotRead = errors.Is(err, fs.ErrNotExist), missingOr(err)
		r.rows = append(r.rows, row)
		return ""
	}
	row.mode(row.Where, mode)
	key, err := publicDigest(raw)
	if err != nil {
		row.CannotRead = err.Error()
	} else if public, err := r.file(r.l.in("sa.pub")); err != nil {
		row.Faults = append(row.Faults, r.l.in("sa.pub")+": "+missingOr(err))
	} else if other, err := pemDigest(public); err != nil || other != key {
		row.Faults = append(row.Faults, "sa.pub is not its public part: tokens that it signs are not accepted")
	}
	if row.CannotRead != "" || len(row.Faults) > 0 {
		r.rows = append(r.rows, row) // it has no end, so it has a row only where something is wrong
	}
	return key
}
