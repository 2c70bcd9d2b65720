// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
)

// confFile is a file in the runtime's directory of CNI configurations
// (/etc/cni/net.d), or in a directory directly in it.
type confFile struct {
	path string
	// inner: it is in a directory in that one, where no runtime reads it.
	inner bool
	// raw is what is in it; nil for what is no plain file of a sensible size.
	raw []byte
	// unread is what it means that it could not be read; empty if it was.
	unread string
	// refers is how it refers to the cluster.
	refers cluster.Reference
	// younger: it was made after the join.
	younger bool
	// changed: it was renamed or written after the join.
	changed bool
	// digest shows that it is unchanged.
	digest string
	// leftOut is why no backup would have it; empty if one has, or none is wanted.
	leftOut string
}

// Decision is what becomes of such a file, and why it is the pod network's.
type Decision struct {
	inventory.Item
	// sign says what makes it the network's; empty for what is not.
	Sign string
	// named says that only one network calls a file so, and that what is in it does not
	// speak against that.
	named bool
	Conf  Conf
	// digest shows that the file is unchanged.
	digest string
}

// asides are the endings of names that networks give to other networks'
// configurations, so that the runtime reads their own: Cilium (plugins/cilium-cni,
// cni.exclusive) and Multus (cmd/thin_entrypoint, --rename-conf-file).
func asides() []string { return []string{ciliumAside, ".old"} }

const ciliumAside = ".cilium_bak"

// judgeConfs says of every file in /etc/cni/net.d whose it is, by its content
// first: a network's configuration that calls plugins of a pod network, that
// delegates to one that goes, or that names a kubeconfig of this cluster, and the
// kubeconfig itself. What was made after the join goes; what is older stays and
// is named. A network may call its file anything (00-multus.conf,
// ZZZ-istio-cni-kubeconfig, whereabouts.d/whereabouts.kubeconfig).
func judgeConfs(files []confFile) []Decision {
	out := make([]Decision, len(files))
	for i, f := range files {
		out[i] = Decision{Item: inventory.Item{Kind: inventory.KindFile, Name: f.path, Owner: inventory.Foreign}, digest: f.digest}
		out[i].Conf, _ = parseConf(f.raw)
		out[i].own(f)
	}
	// What names a file that is the network's, is the network's; no chain of them
	// is longer than three.
	for range 3 {
		for i := range out {
			if out[i].Sign == "" && !out[i].Conf.amended() {
				out[i].follow(out)
			}
		}
	}
	for i, f := range files {
		out[i].decide(f)
	}
	for i, f := range files {
		out[i].aside(f, out)
	}
	return out
}

// own is what a file says about itself.
func (d *Decision) own(f confFile) {
	base := path.Base(f.path)
	switch known := ownership.CNIConf(base); {
	case known != inventory.Foreign && !f.inner:
		d.Owner, d.Sign, d.named = known, "named as the network names its own", f.younger || !d.Conf.strange()
	case d.Conf.amended(): // nothing in it is proof of whose it is
	case d.Conf.network() != inventory.Foreign:
		d.Owner, d.Sign = d.Conf.network(), "it runs a pod network's plugin ("+strings.Join(d.Conf.types, ", ")+")"
	case f.refers.Leads():
		d.Owner, d.Sign = inventory.PodNetwork, "it holds "+f.refers.String()
	}
}

// follow looks at the files that a configuration names.
func (d *Decision) follow(all []Decision) {
	for _, named := range d.Conf.files {
		i := slices.IndexFunc(all, func(o Decision) bool { return o.Name == named && o.Sign != "" })
		if i >= 0 {
			d.Owner, d.Sign = all[i].Owner, "it names "+named
			return
		}
	}
}

// decide is what becomes of a file.
func (d *Decision) decide(f confFile) {
	switch {
	case d.named, d.Sign != "" && f.younger:
		if d.Fate = inventory.Goes; d.personal() != "" {
			d.Personal, d.Detail = d.personal(), "perhaps a person's"
		}
		if d.Personal != "" && f.leftOut != "" {
			d.Owner, d.Fate, d.Digest, d.Detail = inventory.Foreign, inventory.Stays, f.digest, ""
			d.Why, d.Refers = d.Personal+", and no backup has it: "+f.leftOut, d.Sign
			d.Personal = ""
		}
	case d.Sign != "":
		d.Owner, d.Fate, d.Digest = inventory.Foreign, inventory.Stays, f.digest
		d.Why, d.Refers = "older than the join, or its age is unknown", d.Sign
	default:
		d.Fate, d.Why, d.Digest = inventory.Stays, "not a file that a pod network is known to write", f.digest
		d.Refers = cmp.Or(f.refers.String(), f.unread)
		if d.Refers == "" && d.Conf.cut {
			d.Refers = "not looked at: there is more in it than is read of a configuration"
		}
		if d.Conf.amended() {
			d.Refers = "a mesh has added its plugin to it (" + strings.Join(d.Conf.types, ", ") + ")"
		}
	}
}

// personal says why a configuration that goes may be a person's, or be one to which a person has
// added something; empty if nothing tells that. A kubeconfig is none: it opens the cluster.
func (d *Decision) personal() string {
	own := regexp.MustCompile(`^(00-multus|10-(ovn-kubernetes|terway|aws|galaxy)|[0-9]+-(istio|linkerd|kuma)-cni)\.conf(list)?$`)
	switch base := path.Base(d.Name); {
	case len(d.Conf.types) == 0:
		return ""
	case d.Conf.unknown() != "":
		return "it runs a plugin that no pod network brings along (" + d.Conf.unknown() + ")"
	case ownership.CNIConf(base) == inventory.Foreign && !own.MatchString(base):
		return "it runs a pod network's plugin, and no pod network calls a file so"
	}
	return ""
}

// aside decides about a file that a network has put aside: the network's own goes,
// that of another gets its name back if the name is free by then.
func (d *Decision) aside(f confFile, all []Decision) {
	for _, ending := range asides() {
		original, is := f.before(ending)
		if !is {
			continue
		}
		taken := slices.ContainsFunc(all, func(o Decision) bool { return o.Name == original && o.Fate != inventory.Goes })
		switch {
		case !f.younger && !f.changed: // renamed before the join, and so by no network of this cluster
		case ownership.CNIConf(path.Base(original)) != inventory.Foreign && (f.younger || !d.Conf.strange()):
			d.Item = inventory.Item{Kind: inventory.KindFile, Name: f.path, Owner: ownership.CNIConf(path.Base(original)), Fate: inventory.Goes}
		case d.Fate == inventory.Goes:
		case ending == ".old" && !multusRan(all): // a person's own
		case taken:
			d.Why = "put aside by a pod network, and " + original + " is there"
			d.Refers = d.Why
		case d.Sign == "":
			d.Item = inventory.Item{
				Kind: inventory.KindFile, Name: f.path, Owner: inventory.Foreign, Fate: inventory.Goes,
				Turn: inventory.AfterOthers, Manner: inventory.PutBack, Original: original, Detail: "gets back its name " + original,
			}
		}
	}
}

// before is the name that a file had before it was put aside, by an ending; false if it has
// another one, or was no configuration.
func (f confFile) before(ending string) (original string, is bool) {
	original, is = strings.CutSuffix(f.path, ending)
	return original, is && !f.inner && slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(original))
}

// multusRan reports whether anything there is Multus'.
func multusRan(all []Decision) bool {
	return slices.ContainsFunc(all, func(d Decision) bool { return d.Owner == inventory.Multus })
}

// unproven lets those files stay as they are that Cilium may have put aside, where Cilium has
// no other sign: with its name back, one would be a network of this host that it was not.
func unproven(all []Decision, ciliumRan func() bool) []Decision {
	const why = "called as what Cilium puts aside, and nothing else here shows that Cilium was on this host"
	out := slices.Clone(all)
	for i := range out {
		if d := &out[i]; d.Manner == inventory.PutBack && d.Name == d.Original+ciliumAside && !ciliumRan() {
			d.Item = inventory.Item{
				Kind: inventory.KindFile, Name: d.Name, Owner: inventory.Foreign, Fate: inventory.Stays, Why: why, Refers: why, Digest: d.digest,
			}
		}
	}
	return out
}

// scoped lets the files stay that are not a scope's. A file that a network has put aside
// stays, too: with its name back, a runtime that runs would take it for the pods' network.
func scoped(all []Decision, scope inventory.Scope) []Decision {
	out := slices.Clone(all)
	for i := range out {
		switch {
		case out[i].Manner == inventory.PutBack:
			out[i].Fate, out[i].Manner, out[i].Turn, out[i].Detail = inventory.Stays, "", "", ""
			out[i].Why = "put aside by a pod network; its name was " + out[i].Original
			out[i].Original = ""
		case out[i].Fate == inventory.Goes && out[i].Personal != "": // no backup is made here
			out[i].Owner, out[i].Fate, out[i].Why, out[i].Refers = inventory.Foreign, inventory.Stays, out[i].Personal, out[i].Sign
			out[i].Personal, out[i].Detail, out[i].Digest = "", "", out[i].digest
		case out[i].Fate == inventory.Goes && out[i].Owner != scope.Owner:
			out[i].Item = scope.Spare([]inventory.Item{out[i].Item})[0]
			out[i].Fate, out[i].Why = inventory.Stays, scope.Why()
		}
	}
	return out
}
