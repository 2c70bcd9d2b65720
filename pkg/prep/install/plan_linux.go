// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// Plan says what has to be installed for what a host lacks, brings it into the stage, and
// rehearses it. Nothing is changed but the stage; what cannot be done is refused.
func (s Stage) Plan(ctx context.Context, o packages.Order, n packages.Needs) (packages.Plan, error) {
	if err := o.Validate(); err != nil {
		return packages.Plan{}, err
	}
	tool, err := s.tool(ctx)
	if err != nil {
		return packages.Plan{}, err
	}
	if tool != packages.Apt {
		if n.None() {
			return packages.Plan{}, nil
		}
		return packages.Plan{}, plan.Refuse(fmt.Errorf("packages of %s cannot be installed yet", tool),
			"install %s there by hand, and leave out --install", lines(n.Programs()))
	}
	r := rehearsal{Stage: s, order: o, needs: n, staged: packages.Staged{Dir: s.Local.Path(s.Dir), Files: len(o.Files) > 0}}
	if err := r.look(ctx); err != nil {
		return packages.Plan{}, err
	}
	r.plan.Tool = tool
	if r.needs.None() {
		r.plan.Held = packages.ToHold(nil, r.whole, n.Brought, r.held)
		return r.plan, nil
	}
	r.plan.Brings = r.needs.Programs()
	if err := r.rehearse(ctx); err != nil {
		return packages.Plan{}, err
	}
	return r.plan, nil
}

// rehearsal is a plan on its way.
type rehearsal struct {
	Stage
	order  packages.Order
	needs  packages.Needs
	staged packages.Staged
	plan   packages.Plan
	// whole and held are packages on the host.
	whole []packages.Package
	held  []string
	// refreshed says that all repositories were read again.
	refreshed bool
}

// look reads which packages are there. One that an interrupted installation has left in
// the middle is lacking, although its programs are there.
func (r *rehearsal) look(ctx context.Context) error {
	names := append(packages.Names(), "containerd", "containerd.io", "runc")
	states, err := r.States(ctx, append(names, r.needs.Tools...)...)
	if err != nil {
		return err
	}
	r.whole = states.Whole
	for _, p := range states.Broken {
		switch {
		case p.Name == "containerd" || p.Name == "containerd.io":
			r.needs.Runtime = true
		case slices.Contains([]string{"kubeadm", "kubectl", "kubelet"}, p.Name) && !slices.Contains(r.needs.Kubernetes, p.Name):
			r.needs.Kubernetes = append(r.needs.Kubernetes, p.Name)
		}
	}
	said, err := r.run(ctx, "ask which packages are held", packages.Held())
	r.held = packages.ReadNames(said)
	return err
}

// rehearse chooses the packages, brings them, and has apt say what it would do.
func (r *rehearsal) rehearse(ctx context.Context) error {
	choose := r.fromRepo
	if r.staged.Files {
		choose = r.fromFiles
	}
	targets, err := choose(ctx)
	if err != nil {
		return err
	}
	said, err := r.run(ctx, "make a dry run of the installation", r.staged.Simulate(targets...))
	if errors.Is(err, packages.ErrLacking) && !r.staged.Files && !r.refreshed {
		if err := r.refresh(ctx); err != nil {
			return err
		}
		said, err = r.run(ctx, "make a dry run of the installation", r.staged.Simulate(targets...))
	}
	if err != nil {
		return err
	}
	r.plan.Packages, err = packages.Judge(packages.ReadTransaction(said))
	r.plan.Held = packages.ToHold(r.plan.Packages, r.whole, r.needs.Brought, r.held)
	if err == nil {
		err = packages.NotHeld(r.plan.Packages, r.held)
	}
	if err != nil || r.staged.Files {
		return err
	}
	r.Say("downloading %d packages", len(r.plan.Packages))
	_, err = r.run(ctx, "download the packages", r.staged.Download(targets...))
	return err
}

// fromRepo adds the repository to the stage, and chooses out of it.
func (r *rehearsal) fromRepo(ctx context.Context) (targets []string, err error) {
	if len(r.needs.Kubernetes) > 0 {
		if err := r.addRepo(ctx); err != nil {
			return nil, err
		}
		said, err := r.run(ctx, "ask for versions", r.staged.Offers(true, packages.Names()...))
		if err != nil {
			return nil, err
		}
		chosen, err := packages.Choose(r.order, r.needs, packages.ReadOffers(said))
		if err != nil {
			return nil, err
		}
		if err := packages.NotHeld(chosen, r.held); err != nil {
			return nil, err
		}
		for _, p := range chosen {
			targets = append(targets, p.String())
		}
	} else if err := r.others(); err != nil {
		return nil, err
	}
	distribution, err := r.fromDistribution(ctx)
	return append(targets, distribution...), err
}

// fromDistribution are packages of the host's own repositories.
func (r *rehearsal) fromDistribution(ctx context.Context) (targets []string, err error) {
	wanted := slices.Clone(r.needs.Tools)
	if r.needs.Runtime {
		wanted = append(wanted, "containerd")
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	for {
		said, err := r.run(ctx, "ask for versions", r.staged.Offers(false, wanted...))
		if err != nil {
			return nil, err
		}
		var known []string
		for _, p := range packages.ReadOffers(said) {
			if !slices.Contains(known, p.Name) {
				known = append(known, p.Name)
			}
		}
		switch {
		case !r.needs.Runtime || slices.Contains(known, "containerd"):
			return known, nil
		case r.refreshed:
			return nil, plan.Refuse(errors.New("no repository of this host has the package containerd"),
				"add the distribution's repository, or install containerd.io of Docker's; it is used as it is")
		}
		if err := r.refresh(ctx); err != nil {
			return nil, err
		}
	}
}

// refresh reads all repositories of the host again, into the stage.
func (r *rehearsal) refresh(ctx context.Context) error {
	r.Say("reading what the host's own repositories have")
	r.refreshed = true
	_, err := r.run(ctx, "read what the host's own repositories have", r.staged.Update(false))
	return err
}

// fromFiles has the files sent that the host lacks.
func (r *rehearsal) fromFiles(ctx context.Context) (targets []string, err error) {
	arch, err := r.run(ctx, "ask for the architecture", packages.Arch())
	if err != nil {
		return nil, err
	}
	files, err := packages.ChooseFiles(r.order, r.needs, names(r.whole), strings.TrimSpace(arch), packages.Apt)
	if err != nil {
		return nil, err
	}
	if err := r.receive(files); err != nil {
		return nil, err
	}
	for _, f := range files {
		path := r.staged.File(f.Name)
		said, err := r.run(ctx, "read "+f.Name, packages.Fields(path))
		if err != nil {
			return nil, err
		}
		if _, _, is := packages.ReadFields(said); !is {
			return nil, plan.Refuse(fmt.Errorf("%s is no package of Debian's", f.Name), "take it out of the directory")
		}
		targets = append(targets, path)
	}
	return targets, nil
}
