// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Look is what was read on one host.
type Look struct {
	Node string `json:"node"`
	Rows []Row  `json:"rows"`
	// ServiceAccountKey is the SHA-256 of the public part of sa.key; empty where there is
	// none.
	ServiceAccountKey string `json:"serviceAccountKey,omitempty"`
	// Etcd is an inventory.Etcd, and how its members are; empty where the host runs none.
	// EtcdTrouble is why it could not be asked.
	Etcd        json.RawMessage `json:"etcd,omitempty"`
	EtcdTrouble string          `json:"etcdTrouble,omitempty"`
	// APITrouble is why the API server of this host is not ready; empty if it is.
	APITrouble string `json:"apiTrouble,omitempty"`
	// Unfinished says that a renewal was begun here and is not proved; Renewing, that one
	// is at work.
	Unfinished bool `json:"unfinished,omitempty"`
	Renewing   bool `json:"renewing,omitempty"`
	// Why says what has kept it from being proved or taken back; empty if it was killed.
	Why string `json:"why,omitempty"`
}

// reader reads one host.
type reader struct {
	fsys fs.FS
	l    layout
	// known are the authorities by their names, keyless those whose key is not here.
	known   map[string][]*x509.Certificate
	keyless map[string]bool
	// read are the files that have a row already.
	read map[string]bool
	rows []Row
}

// Read reads the certificates of a host. A file that cannot be read costs its own row
// only. Links are followed as fsys follows them; what is no regular file is not opened.
func Read(fsys fs.FS, want Layout) Look {
	r := &reader{fsys: fsys, known: map[string][]*x509.Certificate{}, keyless: map[string]bool{}, read: map[string]bool{}}
	r.l = r.place(or(want.Dir, usualDir))
	if !want.ControlPlane {
		r.authority(r.l.authorities()[0], true)
		r.kubelet()
		r.copies()
		return Look{Rows: r.rows}
	}
	for _, ca := range r.l.authorities() {
		r.authority(ca, false)
	}
	for _, it := range r.l.leaves() {
		r.leaf(it)
	}
	for _, it := range kubeconfigs() {
		r.kubeconfig(it)
	}
	r.kubelet()
	r.copies()
	r.others()
	look := Look{}
	look.ServiceAccountKey = r.serviceAccounts()
	look.Unfinished, look.Why = r.unfinished()
	look.Rows = r.rows
	return look
}

// unfinished reads the journal of a renewal that is not proved.
func (r *reader) unfinished() (is bool, why string) {
	var journal struct {
		Why string `json:"why"`
	}
	at := r.l.in(RenewalJournal)
	if _, err := fs.Stat(r.fsys, strings.TrimPrefix(at, "/")); errors.Is(err, fs.ErrNotExist) {
		return false, ""
	}
	raw, err := r.file(at)
	if err != nil || json.Unmarshal(raw, &journal) != nil {
		return true, "" // what finishes it says that it cannot be read
	}
	return true, journal.Why
}

// place finds where the static pods have their certificates.
func (r *reader) place(dir string) layout {
	l := layout{dir: path.Clean("/" + dir), localEtcd: true}
	api, apiErr := r.file(manifests + "/kube-apiserver.yaml")
	etcd, err := r.file(manifests + "/etcd.yaml")
	l.api, l.etcd = Flags(api), Flags(etcd)
	if errors.Is(err, fs.ErrNotExist) && apiErr == nil {
		// A manifest that was moved away for a moment leaves the member's own address.
		l.localEtcd = strings.Contains(l.api["etcd-servers"], "127.0.0.1") || l.api["etcd-servers"] == ""
	}
	return l
}

// file reads a regular file.
func (r *reader) file(name string) ([]byte, error) {
	raw, _, err := r.fileMode(name)
	return raw, err
}

func (r *reader) fileMode(name string) ([]byte, fs.FileMode, error) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	info, err := fs.Stat(r.fsys, name)
	if err != nil {
		return nil, 0, plainly(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is no regular file")
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, 0, plainly(err)
	}
	defer func() { _ = f.Close() }() // it was read
	raw, err := io.ReadAll(io.LimitReader(f, MostOfFile+1))
	if err == nil && len(raw) > MostOfFile {
		err = fmt.Errorf("it has more than %d bytes", MostOfFile)
	}
	return raw, info.Mode(), plainly(err)
}

// plainly takes the path out of an error: the row has it.
func plainly(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// certificate reads the first certificate of a file into a row, and returns all of it.
func (r *reader) certificate(row *Row) []*x509.Certificate {
	r.read[row.Where] = true
	raw, err := r.file(row.Where)
	if errors.Is(err, fs.ErrNotExist) {
		row.IsMissing = true
		return nil
	}
	if err != nil {
		row.CannotRead = err.Error()
		return nil
	}
	return row.take(raw)
}

// take puts the first certificate of some PEM into a row.
func (r *Row) take(raw []byte) []*x509.Certificate {
	all, err := Bundle(raw)
	if err != nil {
		r.CannotRead = err.Error()
		return nil
	}
	r.set(Describe(all[0]))
	return all
}

// authority reads an authority, and gives each further certificate of its file a row.
func (r *reader) authority(it item, worker bool) {
	row := Row{Name: it.name, Where: it.file, Authority: true, ManagedBy: NotRenewed, Optional: it.optional}
	all := r.certificate(&row)
	r.known[it.name] = all
	if len(all) > 0 && !worker {
		r.authorityKey(it, &row, all[0])
	}
	if len(all) > 0 && !all[0].IsCA {
		row.Faults = append(row.Faults, "it is not the certificate of an authority")
	}
	r.rows = append(r.rows, row)
	for i, c := range all {
		if i > 0 {
			r.rows = append(r.rows, Row{Name: fmt.Sprintf("%s (%d)", it.name, i+1), Where: it.file, Authority: true, ManagedBy: NotRenewed,
				ExternallyManaged: row.ExternallyManaged}.Of(Describe(c)))
		}
	}
}

// authorityKey compares the key of an authority, which may be kept elsewhere on purpose.
func (r *reader) authorityKey(it item, row *Row, c *x509.Certificate) {
	raw, mode, err := r.fileMode(it.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.keyless[it.name], row.ExternallyManaged, row.ManagedBy = true, true, External
	case err != nil:
		row.Faults = append(row.Faults, "its key cannot be read: "+err.Error())
	default:
		row.prove(matches(c, raw))
		row.mode(it.key, mode)
	}
}

// prove adds what a proof says: a fault, or a note that it was not possible.
func (r *Row) prove(why string, proved bool) {
	switch {
	case why != "":
		r.Faults = append(r.Faults, why)
	case !proved:
		r.Notes = append(r.Notes, "not proved: its algorithm is not known here")
	}
}

// readable ends the fault of a file's mode.
const readable = "every user of the host can read the key"

// mode adds a fault where others than root and its group may read a key.
func (r *Row) mode(file string, mode fs.FileMode) {
	if mode.Perm()&0o007 != 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%s has mode %04o: %s", file, mode.Perm(), readable))
	}
}

// leaf reads a certificate that is a file, with its key beside it.
func (r *reader) leaf(it item) {
	row := Row{Name: it.name, Where: it.file, CA: it.ca, ManagedBy: ByKubeadm, Optional: it.optional}
	if !r.l.localEtcd && it.ca == etcdCA {
		row.ManagedBy = External
	}
	all := r.certificate(&row)
	if len(all) > 0 {
		r.chain(&row, all)
		raw, mode, err := r.fileMode(it.key)
		if err != nil {
			row.Faults = append(row.Faults, "its key cannot be read: "+missingOr(err))
		} else {
			row.prove(matches(all[0], raw))
			row.mode(it.key, mode)
		}
		if r.keyless[it.ca] {
			row.ExternallyManaged, row.ManagedBy = true, External
		}
	}
	r.rows = append(r.rows, row)
}

func missingOr(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "it is not there"
	}
	return err.Error()
}

// chain proves that a certificate is signed by its authority, through the certificates
// that come with it.
func (r *reader) chain(row *Row, all []*x509.Certificate) {
	authorities := r.known[row.CA]
	if len(authorities) == 0 {
		row.Notes = append(row.Notes, "not proved: its authority was not read")
		return
	}
	row.prove(signed(all[0], append(all[1:len(all):len(all)], authorities...)))
}
