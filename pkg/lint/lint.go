// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Severity is how much a finding matters.
type Severity string

// The severities, the worst first.
const (
	// Blocks: kubeadm refuses it, or a component does not start.
	Blocks Severity = "blocks"
	// Warns: it is legal, and hurts later.
	Warns Severity = "warns"
)

// The identifiers of what is found; they are stable.
const (
	NoYAML       = "LINT001-yaml"
	Kind         = "LINT002-kind"
	Field        = "LINT003-field"
	Type         = "LINT004-type"
	Twice        = "LINT005-twice"
	Flag         = "LINT006-flag"
	Plugin       = "LINT007-admission-plugin"
	Gate         = "LINT008-feature-gate"
	Version      = "LINT009-version"
	Networks     = "LINT010-networks"
	Endpoint     = "LINT011-endpoint"
	Foolish      = "LINT012-value"
	Secret       = "LINT013-secret"
	Placeholder  = "LINT014-placeholder"
	Contradicted = "LINT015-contradiction"
)

// IDs are all of them.
func IDs() []string {
	return []string{NoYAML, Kind, Field, Type, Twice, Flag, Plugin, Gate, Version, Networks, Endpoint, Foolish, Secret, Placeholder,
		Contradicted}
}

// Finding is one thing that is wrong, or foolish.
type Finding struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Line is where it is, from 1; 0 where it is nowhere in particular.
	Line int `json:"line,omitempty"`
	// Path is the field: "apiServer.extraArgs[0].name".
	Path string `json:"path,omitempty"`
	// Text is the fact, WayOut what a person does about it.
	Text   string `json:"text"`
	WayOut string `json:"wayOut"`
}

// Options are what a configuration is compared with.
type Options struct {
	// Kubernetes is the version that is meant where the configuration names none, Kubeadm
	// that of the kubeadm that will read it; both may be empty.
	Kubernetes, Kubeadm string
}

// mostFindings bounds what is told of one file.
const mostFindings = 200

// Check finds what is wrong with a configuration, in the order of its lines.
func Check(raw []byte, o Options) []Finding {
	l := linter{options: o}
	if l.read(raw); len(l.found) == 0 || len(l.documents) > 0 {
		l.all()
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return l.found[:min(len(l.found), mostFindings)]
}

// Blocked reports whether a finding is among some that keeps a cluster from being made.
func Blocked(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Severity == Blocks })
}

// linter is one file on its way.
type linter struct {
	options   Options
	documents []value
	// minor is that of the Kubernetes that is meant; 0 if it is not known.
	minor int
	found []Finding
}

// all goes through what was read.
func (l *linter) all() {
	l.target()
	schema := readSchema()
	for _, d := range l.documents {
		kind := d.get("kind").text()
		if !l.kind(d, kind) {
			continue
		}
		l.fields(schema, kind, d)
		switch kind {
		case "ClusterConfiguration":
			l.cluster(d)
		case "InitConfiguration":
			l.initial(d)
		case "JoinConfiguration":
			l.join(d)
		case "KubeletConfiguration":
			l.kubelet(d)
		case "KubeProxyConfiguration":
			l.proxy(d)
		}
	}
	l.together()
}

// document is the document of a kind; the zero value if there is none.
func (l *linter) document(kind string) value {
	for _, d := range l.documents {
		if d.get("kind").text() == kind {
			return d
		}
	}
	return value{}
}

// say adds a finding about a value.
func (l *linter) say(id string, s Severity, at value, text, wayOut string) {
	l.found = append(l.found, Finding{ID: id, Severity: s, Line: at.line(), Path: at.path, Text: text, WayOut: wayOut})
}

// target decides which Kubernetes is meant.
func (l *linter) target() {
	version := cmp.Or(l.document("ClusterConfiguration").get("kubernetesVersion").text(), l.options.Kubernetes, l.options.Kubeadm)
	l.minor, _ = minorOf(version)
}

// minorOf takes 36 from "v1.36.3" and "1.36.3".
func minorOf(version string) (int, bool) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 || parts[0] != "1" {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil && n >= 0 && n < 1000
}

// since reports whether what came or went with a minor version counts: also where the
// version is not known.
func (l *linter) since(minor int) bool { return l.minor == 0 || l.minor >= minor }

// apis are the kinds that are read, with the API that has them.
func apis() map[string]string {
	const kubeadm = "kubeadm.k8s.io/v1beta4"
	return map[string]string{
		"InitConfiguration": kubeadm, "ClusterConfiguration": kubeadm, "JoinConfiguration": kubeadm, "UpgradeConfiguration": kubeadm,
		"KubeletConfiguration": "kubelet.config.k8s.io/v1beta1", "KubeProxyConfiguration": "kubeproxy.config.k8s.io/v1alpha1",
	}
}

// kind reports whether a document can be judged.
func (l *linter) kind(d value, kind string) bool {
	api := d.get("apiVersion")
	wanted, known := apis()[kind]
	const migrate = "convert it: kubeadm config migrate --old-config FILE; v1beta3 is read by kubeadm up to 1.36, what is older by none " +
		"that is supported"
	switch {
	case kind == "":
		l.say(Kind, Blocks, d, "a document has no kind", "name it: apiVersion and kind are the first two lines")
	case kind == "MasterConfiguration" || kind == "NodeConfiguration":
		l.say(Kind, Blocks, d.get("kind"), "the kind "+kind+" is gone since kubeadm 1.12; no kubeadm that is supported reads it",
			"write it again as ClusterConfiguration and InitConfiguration (kubeadm config print init-defaults), or JoinConfiguration")
	case !known:
		l.say(Kind, Blocks, d.get("kind"), fmt.Sprintf("kubeadm does not read the kind %q", kind), "kubeadm reads "+strings.Join(kinds(),
			", "))
	case api.text() == wanted:
		return true
	case strings.HasPrefix(api.text(), "kubeadm.k8s.io/"):
		l.say(Kind, Blocks, api, fmt.Sprintf("%s is of %s, and %s is the form that kubeadm reads since 1.31", kind, api.text(), wanted), migrate)
	default:
		l.say(Kind, Blocks, d, fmt.Sprintf("%s is of %q, and must be of %s", kind, api.text(), wanted), "correct apiVersion")
	}
	return false
}

func kinds() (all []string) {
	for kind := range apis() {
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}
