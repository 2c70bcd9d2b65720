// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"cmp"
	"errors"

	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
)

// installFlags are the flags of what is installed on hosts.
type installFlags struct {
	install      bool
	repo, from   string
	fingerprints []string
	// version is that of Kubernetes where no cluster says it.
	version string
	// dir is what from holds.
	dir newhost.PackageDir
}

func (f *installFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.install, "install", false, "Install what is not there: containerd, kubeadm, kubelet, kubectl")
	flags.StringVar(&f.repo, "repo", "", "Repository for --install, below which each minor version has its own "+
		"(default: "+packages.Public+")")
	flags.StringSliceVar(&f.fingerprints, "repo-key-fingerprint", nil, "Fingerprint that the repository's key must have")
	flags.StringVar(&f.from, "from", "", "Directory of packages for --install; they are sent to the hosts, and no repository is used")
}

// read checks the flags and reads the directory; every error is one of usage.
func (f *installFlags) read() (err error) {
	switch {
	case !f.install && (f.repo != "" || f.from != "" || len(f.fingerprints) > 0):
		return env.Misused("--repo, --repo-key-fingerprint and --from say where --install installs from")
	case f.repo != "" && f.from != "":
		return env.Misused("packages come from a directory (--from) or from a repository (--repo)")
	case f.from != "":
		f.dir, err = newhost.ReadPackageDir(f.from)
	}
	if err != nil {
		return plan.As(plan.Misused, err)
	}
	return nil
}

// order is what hosts are to install; nil if nothing.
func (f *installFlags) order(wanted prep.Wanted) (*packages.Order, error) {
	if !f.install {
		return nil, nil
	}
	o := packages.Order{Version: cmp.Or(f.version, wanted.Kubernetes), Repo: f.repo, Fingerprints: f.fingerprints, Files: f.dir.Files}
	if o.Version == "" {
		return nil, plan.As(plan.Misused, plan.Hint(errors.New("which version is to be installed is not known"),
			"name it: --kubernetes-version v1.36.3"))
	}
	return &o, plan.As(plan.Misused, o.Validate())
}

// serve lets a host ask for the packages of the directory.
func (f *installFlags) serve(h *sshcarrier.Host) {
	if f.from != "" {
		h.Files = f.dir.Open
	}
}
