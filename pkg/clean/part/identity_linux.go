// SPDX-License-Identifier: Apache-2.0

package part

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/joindate"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// identityFile is where a removal writes down which cluster it was: the files
// that tell go before the second look.
const identityFile = "cluster.json"

// Cluster is that of the cluster that this host is in, or was in when a removal
// began; empty if nothing tells.
func (t Host) Cluster() cluster.Identity {
	id, _ := once(t.Memory, "cluster", t.cluster)
	return id
}

// ClusterUnread is why not all that tells which cluster it is could be read: what refers
// to it may not be recognised then. Nil if all was read that is there.
func (t Host) ClusterUnread() error {
	_, err := once(t.Memory, "cluster", t.cluster)
	return err
}

func (t Host) cluster() (cluster.Identity, error) {
	id, known, damaged := t.recallIdentity()
	if known {
		return id, nil
	}
	errs := []error{damaged}
	read := func(path string) []byte {
		raw, err := t.ReadLinked(path, MostOfFile)
		if Unread(err) != "" {
			errs = append(errs, err)
		}
		return raw
	}
	var kubeconfigs [][]byte
	for _, name := range []string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf"} {
		kubeconfigs = append(kubeconfigs, read(filepath.Join(inventory.KubernetesDir, name)))
	}
	id = cluster.Identify(read(inventory.PKIDir+"/ca.crt"), kubeconfigs...).Reached(t.Facts.APIServers).Signing(
		read(inventory.PKIDir+"/sa.pub"), read(inventory.PKIDir+"/front-proxy-ca.crt"), read(inventory.PKIDir+"/etcd/ca.crt"))
	return id, errors.Join(errs...)
}

// recallIdentity is what an earlier step wrote down.
func (t Host) recallIdentity() (id cluster.Identity, known bool, err error) {
	if t.StateDir == "" {
		return id, false, nil
	}
	raw, err := host.ReadPlain(filepath.Join(t.Path(t.StateDir), identityFile), MostOfFile)
	if errors.Is(err, fs.ErrNotExist) {
		return id, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &id)
	}
	if err != nil {
		err = fmt.Errorf("read which cluster it was: %w", err)
	}
	return id, err == nil, err
}

// RememberIdentity writes down which cluster it was, and when this host joined it, once.
func (t Host) RememberIdentity() error {
	if err := t.rememberJoined(); err != nil {
		return err
	}
	return t.Keep(identityFile, func() ([]byte, error) {
		id := t.Cluster()
		if len(id.Authorities)+len(id.Endpoints) == 0 {
			return nil, nil
		}
		raw, err := json.Marshal(id)
		if err != nil {
			return nil, fmt.Errorf("encode the cluster's identity: %w", err)
		}
		return raw, nil
	})
}

// joinTraces are what this host tells of its join. What cannot be read tells nothing.
func (t Host) joinTraces() joindate.Traces {
	out := joindate.Traces{Now: time.Now(), MachineID: t.machineSince(), Registered: t.Facts.Registered}
	places := map[string]time.Time{}
	for _, path := range t.joinPaths() {
		info, err := t.Lstat(path)
		born, unread := t.bornOrWritten(path)
		if err != nil || unread != nil || born.IsZero() {
			continue
		}
		out.Files = append(out.Files, joindate.File{Path: path, Born: born, Written: info.ModTime(),
			Place: t.placeSince(t.Resolve(filepath.Dir(path)), places)})
	}
	out.Certificates = t.kubeletCertificates()
	keys, _ := t.Listed("/etc/ssh", "_key")
	for _, key := range keys[:min(len(keys), mostOfJoin)] {
		info, err := t.Lstat(key)
		if err == nil && (out.HostKeys.IsZero() || info.ModTime().Before(out.HostKeys)) {
			out.HostKeys = info.ModTime()
		}
	}
	out.SSHD, _ = t.Born("/etc/ssh/sshd_config")
	return out
}

// mostOfJoin is how many certificates and keys are looked at for when they were made.
const mostOfJoin = 512

// kubeletCertificates are those that a kubelet has had, as far as they are kept.
func (t Host) kubeletCertificates() (out []joindate.Certificate) {
	dir := filepath.Join(t.KubeadmDir(), "pki")
	entries, _, _ := t.Some(dir, mostOfJoin)
	named := regexp.MustCompile(`^kubelet-(?:client|server)-([0-9-]{19})\.pem$`)
	for _, e := range entries {
		found := named.FindStringSubmatch(e.Name())
		if found == nil {
			continue
		}
		path := filepath.Join(dir, e.Name())
		at, _ := time.Parse("2006-01-02-15-04-05", found[1])
		born, _ := t.bornOrWritten(path)
		raw, _ := t.ReadPlain(path, MostOfFile)
		out = append(out, joindate.Certificate{Named: at, Born: born, Valid: cluster.ValidFrom(raw)})
	}
	return out
}

// placeSince is the youngest birth of a directory and those that it is in. An overlay gives a
// directory of a lower layer a new one.
func (t Host) placeSince(dir string, known map[string]time.Time) time.Time {
	at, is := known[dir]
	if is {
		return at
	}
	if copied, err := t.Copied(dir); err == nil && !copied {
		at, _ = t.Born(dir)
	}
	if above := filepath.Dir(dir); above != dir {
		if of := t.placeSince(above, known); of.After(at) {
			at = of
		}
	}
	known[dir] = at
	return at
}

// machineSince is when this machine got its id; zero in a container, and where it is one that
// each boot makes.
func (t Host) machineSince() time.Time {
	const id = "/etc/machine-id"
	container, err := t.Exists("/run/systemd/container")
	info, unread := t.Lstat(id)
	if err != nil || container || unread != nil || !info.Mode().IsRegular() || t.Mounted(id) {
		return time.Time{}
	}
	return info.ModTime()
}
