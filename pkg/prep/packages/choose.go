// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Package is one package in one version.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// String is "kubelet=1.36.3-1.1".
func (p Package) String() string { return p.Name + "=" + p.Version }

// Needs is what a host lacks.
type Needs struct {
	// Kubernetes are programs of Kubernetes: kubeadm, kubelet, kubectl.
	Kubernetes []string
	// Runtime says that it has no container runtime.
	Runtime bool
	// Tools are programs that the kubelet calls, by the names of their packages.
	Tools []string
	// Brought are the packages that earlier runs have brought: they are not lacking, but may
	// not be held yet.
	Brought []Package
}

// None reports whether nothing that a node cannot be without is lacking.
func (n Needs) None() bool { return len(n.Kubernetes) == 0 && !n.Runtime }

// Programs are what is lacking, by the names of programs and packages.
func (n Needs) Programs() []string {
	all := slices.Clone(n.Kubernetes)
	if n.Runtime {
		all = append(all, "containerd")
	}
	return append(all, n.Tools...)
}

// runtimes are packages that hold containerd; they exclude each other.
func runtimes() []string { return []string{"containerd", "containerd.io"} }

// Choose picks the packages of Kubernetes that an order wants out of what its repository
// offers: the very version of the order, else the newest of its minor version.
func Choose(o Order, n Needs, offered []Package) (all []Package, err error) {
	if len(n.Kubernetes) == 0 {
		return nil, nil
	}
	for _, name := range n.Kubernetes {
		best := o.best(name, offered)
		if best.Version == "" {
			return nil, plan.Refuse(fmt.Errorf("there is no package %s of %s in %s", name, o.minor(), o.from()),
				"see what is there: each minor version has a repository of its own; choose another with --repo URL")
		}
		all = append(all, best)
	}
	if versions := distinct(all); len(versions) > 1 {
		return nil, plan.Refuse(fmt.Errorf("the newest packages in %s do not fit together: %s", o.from(), strings.Join(versions, ", ")),
			"the copy of the repository is not complete: use another with --repo URL, or complete it")
	}
	return all, nil
}

// best is the package of a name that an order wants most; none if none will do.
func (o Order) best(name string, offered []Package) (best Package) {
	want := o.patch()
	for _, p := range offered {
		if p.Name != name || !within(p.Version, strings.TrimPrefix(o.minor(), "v")) {
			continue
		}
		fits, had := release(p.Version) == want, release(best.Version) == want
		if best.Version == "" || fits && !had || fits == had && newer(p.Version, best.Version) {
			best = p
		}
	}
	return best
}

// from is where an order's packages come from, in words.
func (o Order) from() string {
	if len(o.Files) > 0 {
		return "the files"
	}
	return SourceOf(Apt, Order{Version: o.Version, Repo: o.Repo}).URL
}

// distinct are the releases of packages.
func distinct(all []Package) (versions []string) {
	for _, p := range all {
		if v := release(p.Version); !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	return versions
}

// release is "1.36.3" of a package's version "1.36.3-1.1".
func release(version string) string {
	if _, after, has := strings.Cut(version, ":"); has {
		version = after
	}
	at := strings.IndexAny(version, "-~+")
	if at < 0 {
		return version
	}
	return version[:at]
}

// within reports whether a package's version is a release of a minor version.
func within(version, minor string) bool {
	rest, is := strings.CutPrefix(release(version), minor+".")
	return is && regexp.MustCompile(`^[0-9]{1,3}$`).MatchString(rest) && !strings.Contains(version, "~")
}

// newer compares versions of packages by their numbers.
func newer(a, b string) bool {
	if c := slices.Compare(numbers(release(a)), numbers(release(b))); c != 0 {
		return c > 0
	}
	return slices.Compare(revision(a), revision(b)) > 0
}

// revision are the numbers behind a release: 1, 1 of "1.36.3-1.1".
func revision(version string) []int {
	at := strings.LastIndexByte(version, '-')
	return numbers(version[at+1:])
}

// ChooseFiles picks those of an order's files that a host lacks. What is installed already
// stays as it is, and is not sent.
func ChooseFiles(o Order, n Needs, installed []string, arch string, tool Tool) (all []File, err error) {
	var offered []Package
	files := map[Package]File{}
	for _, f := range o.Files {
		p, built, is := parseName(f.Name, tool)
		if is && fits(built, arch) {
			offered, files[p] = append(offered, p), f
		}
	}
	chosen, err := Choose(o, n, offered)
	if err != nil {
		return nil, err
	}
	var brought []string
	for _, p := range offered {
		if slices.Contains(chosen, p) || n.beside(p, offered, installed) {
			all, brought = append(all, files[p]), append(brought, p.Name)
		}
	}
	of := slices.DeleteFunc(runtimes(), func(name string) bool { return !slices.Contains(brought, name) })
	switch {
	case n.Runtime && len(of) == 0:
		return nil, plan.Refuse(errors.New("the host has no container runtime, and no file brings one"),
			"put the package containerd (and runc), or containerd.io, beside the others")
	case len(of) > 1:
		return nil, plan.Refuse(fmt.Errorf("the files hold %s, which exclude each other", text.Join(of, " and ")), "keep one of them")
	}
	return all, nil
}

// beside reports whether a package that is not Kubernetes' own program is brought: the newest
// of its name that the host lacks. A runtime that the host has stays; Docker's containerd
// beside the distribution's would be a conflict.
func (n Needs) beside(p Package, offered []Package, installed []string) bool {
	program := slices.Contains([]string{"kubeadm", "kubectl", "kubelet"}, p.Name)
	runtime := slices.Contains(append(runtimes(), "runc"), p.Name)
	if program || slices.Contains(installed, p.Name) || runtime && !n.Runtime {
		return false
	}
	return !slices.ContainsFunc(offered, func(q Package) bool { return q.Name == p.Name && newer(q.Version, p.Version) })
}

// parseName takes the name of a package's file apart. A colon in a version is written %3a.
func parseName(name string, tool Tool) (p Package, arch string, is bool) {
	if tool.rpm() {
		found := regexp.MustCompile(`^(.+)-([^-]+-[^-]+)\.([a-z0-9_]+)\.rpm$`).FindStringSubmatch(name)
		if found == nil {
			return p, "", false
		}
		return Package{found[1], found[2]}, found[3], true
	}
	found := regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+)_([^_]+)_([a-z0-9-]+)\.deb$`).FindStringSubmatch(name)
	if found == nil {
		return p, "", false
	}
	return Package{found[1], strings.ReplaceAll(found[2], "%3a", ":")}, found[3], true
}

// fits reports whether a package that was built for an architecture runs on a host.
func fits(built, arch string) bool {
	same := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "noarch": "all"}
	name := func(a string) string {
		if other, has := same[a]; has {
			return other
		}
		return a
	}
	return name(built) == "all" || name(built) == name(arch)
}
