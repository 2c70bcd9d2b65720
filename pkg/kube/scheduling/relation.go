// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// relation is one between a pod and those that are there.
type relation interface {
	// forbids is why the node is out; empty if it is not.
	forbids(*corev1.Node) string
}

// headcount counts pods by the value of a node label.
type headcount struct {
	key    string
	counts map[string]int
	// alike is how many values have a count, and fewest the smallest count.
	alike  map[int]int
	fewest int
	// counted are the sites that count; nil for all.
	counted []bool
}

// count makes a headcount of the pods of the profiles that match, by a node label, and
// keeps it up to date.
func (s *search) count(key string, profiles []profileID, counted []bool) *headcount {
	t := &headcount{key: key, counts: map[string]int{}, alike: map[int]int{}, counted: counted}
	for i := range s.sites {
		if value, has := s.sites[i].node.Labels[key]; has && t.minds(i) {
			t.counts[value] = 0
		}
	}
	t.alike[0] = len(t.counts)
	for _, id := range profiles {
		for _, i := range s.where[id] {
			t.put(i, s.sites[i].node)
		}
		s.headcounts[id] = append(s.headcounts[id], t)
	}
	return t
}

func (t *headcount) minds(site int) bool { return t.counted == nil || t.counted[site] }

// put counts one more pod.
func (t *headcount) put(site int, node *corev1.Node) {
	value, has := node.Labels[t.key]
	if !has || !t.minds(site) {
		return
	}
	n := t.counts[value]
	t.counts[value] = n + 1
	t.alike[n]--
	t.alike[n+1]++
	for t.alike[t.fewest] == 0 {
		t.fewest++
	}
}

// empty reports whether no pod was counted.
func (t *headcount) empty() bool { return t.alike[0] == len(t.counts) }

// relationsOf are the relations that the pods of an ask have to others.
func (s *search) relationsOf(a *ask) []relation {
	own := s.profiles[a.profile]
	var out []relation
	for i := range own.avoids {
		term := &own.avoids[i]
		out = append(out, apart{s.count(term.TopologyKey, s.matching(term, own.namespace), nil), "against its anti-affinity"})
	}
	for _, id := range s.avoiders {
		other := s.profiles[id]
		for i := range other.avoids {
			if term := &other.avoids[i]; selects(term, other.namespace, own) {
				out = append(out, apart{s.count(term.TopologyKey, []profileID{id}, nil), "with a pod that wants none like it"})
			}
		}
	}
	if with := a.pod.Spec.Affinity; with != nil && with.PodAffinity != nil &&
		len(with.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
		out = append(out, s.together(with.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution, own))
	}
	return append(out, s.spreads(a, own)...)
}

// matching are the profiles that a term of a pod of the namespace selects.
func (s *search) matching(term *corev1.PodAffinityTerm, namespace string) []profileID {
	var out []profileID
	for id := range s.profiles {
		if selects(term, namespace, s.profiles[id]) {
			out = append(out, profileID(id))
		}
	}
	return out
}

// selects reports whether a term of a pod of the namespace is about a profile. Of
// a namespace only the name is known, which is its label, too.
func selects(term *corev1.PodAffinityTerm, namespace string, k profile) bool {
	in := slices.Contains(term.Namespaces, k.namespace)
	if len(term.Namespaces) == 0 && term.NamespaceSelector == nil {
		in = namespace == k.namespace
	}
	if !in && term.NamespaceSelector != nil {
		in = matches(term.NamespaceSelector, labels.Set{corev1.LabelMetadataName: k.namespace})
	}
	return in && matches(term.LabelSelector, k.labels)
}

// matches is false for a selector that is missing or invalid.
func matches(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

// apart forbids the places where pods of a headcount are.
type apart struct {
	*headcount
	why string
}

func (r apart) forbids(node *corev1.Node) string {
	if value, has := node.Labels[r.key]; has && r.counts[value] > 0 {
		return r.why
	}
	return ""
}

// beside wants pods that all terms select; the first of a group that wants
// itself may go anywhere.
type beside struct {
	headcounts []*headcount
	first      bool
}

func (s *search) together(terms []corev1.PodAffinityTerm, own profile) relation {
	all := func(k profile) bool {
		return !slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return !selects(&t, own.namespace, k) })
	}
	var profiles []profileID
	for id := range s.profiles {
		if all(s.profiles[id]) {
			profiles = append(profiles, profileID(id))
		}
	}
	out := beside{first: all(own)}
	for i := range terms {
		out.headcounts = append(out.headcounts, s.count(terms[i].TopologyKey, profiles, nil))
	}
	return out
}

func (r beside) forbids(node *corev1.Node) string {
	there, none := true, true
	for _, t := range r.headcounts {
		value, has := node.Labels[t.key]
		if !has {
			return "without the label " + t.key + " of its affinity"
		}
		there = there && t.counts[value] > 0
		none = none && t.empty()
	}
	if there || none && r.first {
		return ""
	}
	return "without the pods that its affinity wants"
}

// spread is a topology spread constraint that must be kept.
type spread struct {
	*headcount
	most, self int
	minDomains int
}

// spreads are the constraints of an ask. Nodes that lack a label of any of them
// do not count; those outside the pod's affinity do not, unless it says so;
// those with taints do, unless it says so (the defaults of the API): a cordoned
// node, empty, still is the least loaded place for a spread over host names.
func (s *search) spreads(a *ask, own profile) []relation {
	var must []corev1.TopologySpreadConstraint
	for _, c := range a.pod.Spec.TopologySpreadConstraints {
		if c.WhenUnsatisfiable == corev1.DoNotSchedule {
			must = append(must, c)
		}
	}
	var out []relation
	for i := range must {
		c := &must[i]
		selector, err := metav1.LabelSelectorAsSelector(c.LabelSelector)
		if err != nil {
			continue
		}
		match := func(k profile) bool {
			return k.namespace == own.namespace && selector.Matches(k.labels) &&
				!slices.ContainsFunc(c.MatchLabelKeys, func(key string) bool { return own.labels.Has(key) && own.labels[key] != k.labels[key] })
		}
		var profiles []profileID
		for id := range s.profiles {
			if match(s.profiles[id]) {
				profiles = append(profiles, profileID(id))
			}
		}
		relation := spread{headcount: s.count(c.TopologyKey, profiles, s.eligible(a, c, must)), most: int(c.MaxSkew), minDomains: 1}
		if c.MinDomains != nil {
			relation.minDomains = int(*c.MinDomains)
		}
		if match(own) {
			relation.self = 1
		}
		out = append(out, relation)
	}
	return out
}

// eligible are the sites that count for a constraint.
func (s *search) eligible(a *ask, c *corev1.TopologySpreadConstraint, all []corev1.TopologySpreadConstraint) []bool {
	out := make([]bool, len(s.sites))
	for i := range s.sites {
		node := s.sites[i].node
		out[i] = !slices.ContainsFunc(all, func(c corev1.TopologySpreadConstraint) bool {
			_, has := node.Labels[c.TopologyKey]
			return !has
		})
		if c.NodeAffinityPolicy == nil || *c.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor {
			out[i] = out[i] && a.chooses(node)
		}
		if c.NodeTaintsPolicy != nil && *c.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor {
			out[i] = out[i] && a.repelledBy(node) == nil
		}
	}
	return out
}

func (r spread) forbids(node *corev1.Node) string {
	value, has := node.Labels[r.key]
	if !has {
		return "without the label " + r.key + " of its topology spread"
	}
	fewest := r.fewest
	if len(r.counts) < r.minDomains {
		fewest = 0
	}
	if r.counts[value]+r.self-fewest > r.most {
		return "against its topology spread over " + r.key
	}
	return ""
}
