// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Tool is a host's package manager.
type Tool string

// The package managers.
const (
	Apt    Tool = "apt"
	Dnf    Tool = "dnf"
	Zypper Tool = "zypper"
)

// rpm reports whether a tool's packages are rpm files.
func (t Tool) rpm() bool { return t != Apt }

// id names what is written to a host's list of repositories.
const id = "kubectl-lifecycle-kubernetes"

// Source is a repository as a host has it.
type Source struct {
	// KeyURL is where its key is, URL where it is itself.
	KeyURL, URL string
	// KeyFile and ListFile are where the key and the repository are written on the host.
	KeyFile, ListFile string
}

// SourceOf is where the packages of an order are for a package manager.
func SourceOf(tool Tool, o Order) Source {
	at := o.base() + o.minor()
	switch tool {
	case Dnf:
		return Source{KeyURL: at + "/rpm/repodata/repomd.xml.key", URL: at + "/rpm/",
			KeyFile: "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + id, ListFile: "/etc/yum.repos.d/" + id + ".repo"}
	case Zypper:
		return Source{KeyURL: at + "/rpm/repodata/repomd.xml.key", URL: at + "/rpm/",
			KeyFile: "/etc/pki/rpm-gpg/RPM-GPG-KEY-" + id, ListFile: "/etc/zypp/repos.d/" + id + ".repo"}
	default:
		return Source{KeyURL: at + "/deb/Release.key", URL: at + "/deb/",
			KeyFile: "/etc/apt/keyrings/" + id + ".asc", ListFile: "/etc/apt/sources.list.d/" + id + ".list"}
	}
}

// List is the file of the repository, with its key in a file. What dnf reads keeps its
// packages from an upgrade of all: it is their hold.
func (s Source) List(tool Tool, keyFile string) string {
	if tool == Apt {
		return fmt.Sprintf("# Kubernetes' packages, of kubectl lifecycle.\ndeb [signed-by=%s] %s /\n", keyFile, s.URL)
	}
	list := fmt.Sprintf("# Kubernetes' packages, of kubectl lifecycle.\n[%s]\nname=Kubernetes\nbaseurl=%s\nenabled=1\ngpgcheck=1\n"+
		"repo_gpgcheck=1\ngpgkey=file://%s\n", id, s.URL, keyFile)
	if tool == Dnf {
		list += "exclude=" + strings.Join(Names(), " ") + "\n"
	}
	return list
}

// Names are Kubernetes' own packages: those of its repositories, which are held.
func Names() []string {
	return []string{"cri-tools", "kubeadm", "kubectl", "kubelet", "kubernetes-cni"}
}

// Trust compares the keys of a repository with those expected. It returns what is written
// beside the key: by what it is trusted. A key that is not expected, or has expired, is an
// error with its way out.
func Trust(o Order, keys Keys, now time.Time) (note string, err error) {
	pins, repo := o.Pins(), o.base()
	var prints []string
	for _, k := range keys.All {
		prints = append(prints, k.Fingerprint)
		switch {
		case len(pins) > 0 && !slices.Contains(pins, k.Fingerprint):
			return "", plan.Refuse(fmt.Errorf("the key of %s has the fingerprint %s, and %s was expected", repo, k.Fingerprint,
				strings.Join(pins, " or ")),
				"ask the owner of the repository: only if the key is theirs, name it: --repo-key-fingerprint %s", k.Fingerprint)
		case !k.Ends.IsZero() && now.After(k.Ends):
			return "", plan.Refuse(fmt.Errorf("the key %s of %s has expired on %s", k.Fingerprint, repo, k.Ends.Format(time.DateOnly)),
				"is the host's clock right? Then the repository has an old copy of its key: its owner renews it, or use another (--repo URL)")
		}
	}
	if len(prints) > 8 {
		return "", errors.New("the file of keys holds more than 8")
	}
	if len(pins) > 0 {
		return "key " + strings.Join(prints, ", "), nil
	}
	return "key " + strings.Join(prints, ", ") + ", taken as it was found: compare it, and name it with --repo-key-fingerprint", nil
}
