// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"path"
	"slices"
	"strings"
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
	refers reference
	// younger: it was made after the join.
	younger bool
	// changed: it was renamed or written after the join.
	changed bool
	// digest shows that it is unchanged.
	digest string
}

// confDecision is what becomes of such a file, and why it is the pod network's.
type confDecision struct {
	Item
	// sign says what makes it the network's; empty for what is not.
	sign string
	conf netConf
}

// asides are the endings of names that networks give to the configurations of
// others, so that the runtime reads their own: Cilium (plugins/cilium-cni,
// cni.exclusive) and Multus (cmd/thin_entrypoint, --rename-conf-file).
func asides() []string { return []string{".cilium_bak", ".old"} }

// judgeConfs says of every file in /etc/cni/net.d whose it is, by its content
// first: a network's configuration that calls plugins of a pod network, that
// delegates to one that goes, or that names a kubeconfig of this cluster, and the
// kubeconfig itself. What was made after the join goes; what is older stays and
// is named. A network may call its file anything (00-multus.conf,
// ZZZ-istio-cni-kubeconfig, whereabouts.d/whereabouts.kubeconfig).
func judgeConfs(files []confFile) []confDecision {
	out := make([]confDecision, len(files))
	for i, f := range files {
		out[i] = confDecision{Item: Item{Kind: KindFile, Name: f.path, Owner: Foreign}}
		out[i].conf, _ = parseConf(f.raw)
		out[i].own(f)
	}
	// What names a file that is the network's, is the network's; no chain of them
	// is longer than three.
	for range 3 {
		for i := range out {
			if out[i].sign == "" && !out[i].conf.amended() {
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
func (d *confDecision) own(f confFile) {
	base := path.Base(f.path)
	switch known := cniConfOwner(base); {
	case known != Foreign && !f.inner:
		d.Owner, d.sign = known, byName
	case d.conf.amended(): // nothing in it is proof of whose it is
	case d.conf.network() != Foreign:
		d.Owner, d.sign = d.conf.network(), "it runs a pod network's plugin ("+strings.Join(d.conf.types, ", ")+")"
	case f.refers.leads():
		d.Owner, d.sign = PodNetwork, "it holds "+f.refers.String()
	}
}

// byName is the sign of a file that only one network calls so.
const byName = "named as the network names its own"

// follow looks at the files that a configuration names.
func (d *confDecision) follow(all []confDecision) {
	for _, named := range d.conf.files {
		i := slices.IndexFunc(all, func(o confDecision) bool { return o.Name == named && o.sign != "" })
		if i >= 0 {
			d.Owner, d.sign = all[i].Owner, "it names "+named
			return
		}
	}
}

// decide is what becomes of a file.
func (d *confDecision) decide(f confFile) {
	switch {
	case d.sign == byName, d.sign != "" && f.younger:
		d.Fate = Goes
	case d.sign != "":
		d.Owner, d.Fate, d.Digest = Foreign, Stays, f.digest
		d.Why, d.Refers = "older than the join, or nothing tells", d.sign
	default:
		d.Fate, d.Why, d.Digest = Stays, "not a file that a pod network is known to write", f.digest
		d.Refers = cmp.Or(f.refers.String(), f.unread)
		if d.conf.amended() {
			d.Refers = "a mesh has added its plugin to it (" + strings.Join(d.conf.types, ", ") + ")"
		}
	}
}

// aside decides about a file that a network has put aside: the network's own goes,
// that of another gets its name back if the name is free by then.
func (d *confDecision) aside(f confFile, all []confDecision) {
	for _, ending := range asides() {
		original, is := strings.CutSuffix(f.path, ending)
		if !is || f.inner || !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(original)) {
			continue
		}
		taken := slices.ContainsFunc(all, func(o confDecision) bool { return o.Name == original && o.Fate != Goes })
		switch {
		case cniConfOwner(path.Base(original)) != Foreign:
			d.Item = Item{Kind: KindFile, Name: f.path, Owner: cniConfOwner(path.Base(original)), Fate: Goes}
		case d.Fate == Goes:
		case ending == ".old" && (!f.changed || !multusRan(all)): // a person's own
		case taken:
			d.Why = "put aside by a pod network, and " + original + " is there"
			d.Refers = d.Why
		case d.sign == "":
			d.Item = Item{Kind: KindFile, Name: f.path, Owner: Foreign, Fate: Goes, Detail: returns + original}
		}
	}
}

// multusRan reports whether anything there is Multus'.
func multusRan(all []confDecision) bool {
	return slices.ContainsFunc(all, func(d confDecision) bool { return d.Owner == Multus })
}
