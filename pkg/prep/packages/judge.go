// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Plan is what is done to a host, all of it decided.
type Plan struct {
	Tool Tool
	// Source is the repository that is added, Key what its key file holds, and Trust by
	// what that is trusted; all empty where packages come from files.
	Source     Source
	Key, Trust string
	// Was is what files of Source hold by now, by their paths, those that are there.
	Was map[string]string
	// Packages come; all of them are new on the host.
	Packages []Package
	// Held are those that are kept from upgrades afterwards.
	Held []string
	// Brings are programs of the packages: what a host lacks until then.
	Brings []string
}

// None reports whether there is nothing to do.
func (p Plan) None() bool { return len(p.Packages) == 0 && len(p.Held) == 0 }

// mostNew bounds what a package manager may bring.
const mostNew = 200

// Judge refuses what cannot be taken back, and says which packages come.
func Judge(t Transaction) ([]Package, error) {
	switch {
	case len(t.Removed) > 0:
		return nil, plan.Refuse(fmt.Errorf("the package manager would remove %s, which the new packages exclude", text.Some(t.Removed)),
			"nothing of yours is removed: remove it yourself where it is not needed; a containerd or containerd.io that is there is used as it is")
	case len(t.Replaced) > 0:
		return nil, plan.Refuse(fmt.Errorf("the package manager would replace %s", text.Some(words(t.Replaced))),
			"what is there is not replaced, since that could not be taken back: upgrade it yourself, and run the command again")
	case len(t.New) > mostNew:
		return nil, plan.Refuse(fmt.Errorf("the package manager would bring %d packages", len(t.New)),
			"is this repository the right one? See what it would bring: apt-get --simulate install kubeadm kubelet")
	}
	return t.New, nil
}

// ToHold are the packages that are to be held and are not: of those that come, and of those
// that earlier runs have brought and that are there as they brought them. It asks for what is
// there and not for what is new, since a run may end between the two.
func ToHold(come, there, brought []Package, held []string) (names []string) {
	for _, name := range Names() {
		is := func(p Package) bool { return p.Name == name }
		ours := func(p Package) bool { return p.Name == name && slices.Contains(brought, p) }
		if (contains(come, is) || contains(there, ours)) && !slices.Contains(held, name) {
			names = append(names, name)
		}
	}
	return names
}

// NotHeld refuses packages that a person holds in another state than wanted.
func NotHeld(wanted []Package, held []string) error {
	var kept []string
	for _, p := range wanted {
		if slices.Contains(held, p.Name) {
			kept = append(kept, p.Name)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return plan.Refuse(fmt.Errorf("held on this host: %s", strings.Join(kept, ", ")),
		"a hold of yours is not lifted: %s", text.Command(append([]string{"apt-mark", "unhold"}, kept...)...))
}

// words are packages as one reads them.
func words(all []Package) (out []string) {
	for _, p := range all {
		out = append(out, p.Name+" "+p.Version)
	}
	return out
}

func contains(all []Package, is func(Package) bool) bool { return slices.ContainsFunc(all, is) }

// Format writes packages in a line, Parse reads it: "kubeadm=1.36.3-1.1 kubelet=1.36.3-1.1".
func Format(all []Package) string {
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return strings.Join(out, " ")
}

// Parse is the contrary of Format.
func Parse(line string) (all []Package) {
	for _, word := range strings.Fields(line) {
		name, version, _ := strings.Cut(word, "=")
		all = append(all, Package{name, version})
	}
	return all
}
