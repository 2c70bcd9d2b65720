// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// search gives places to pods, one after the other, and remembers what is the
// same for all pods of a template.
type search struct {
	*Room
	asks map[askKey]*ask
	// avoiders are the profiles that want others away.
	avoiders []profileID
	// headcounts are those in which a pod of a profile counts.
	headcounts map[profileID][]*headcount
	// next is where the search goes on, so that pods are spread.
	next int
}

// askKey tells templates apart.
type askKey struct {
	controller types.UID
	profile    profileID
}

// ask is what the pods of one template want of a node.
type ask struct {
	pod      *corev1.Pod
	profile  profileID
	affinity nodeaffinity.RequiredNodeAffinity
	disks    []disk
	ports    []hostPort
	// relations are those to other pods.
	relations []relation
	// full is why a pod with such a need found no place; nothing has become free
	// since.
	full []string
	need amounts
}

// disk is a volume that not every node reaches.
type disk struct {
	name  string
	nodes *nodeaffinity.LazyErrorNodeSelector
}

func newSearch(r *Room) *search {
	s := &search{Room: r, asks: map[askKey]*ask{}, headcounts: map[profileID][]*headcount{}}
	for id, profile := range r.profiles {
		if len(profile.avoids) > 0 {
			s.avoiders = append(s.avoiders, profileID(id))
		}
	}
	return s
}

// place finds a node for the pod's successor and takes it, or says why there is
// none.
func (s *search) place(pod *corev1.Pod) []string {
	a, need := s.askOf(pod), requests(pod)
	if a.full != nil && len(a.relations) == 0 && a.need.within(need) {
		return a.full
	}
	because := map[string]int{}
	for range s.sites {
		i := s.next % len(s.sites)
		s.next++
		if why := s.obstacle(a, i, need); why != "" {
			because[why]++
			continue
		}
		s.sites[i].free.sub(need)
		s.sites[i].ports = append(s.sites[i].ports, a.ports...)
		s.where[a.profile] = append(s.where[a.profile], i)
		for _, t := range s.headcounts[a.profile] {
			t.put(i, s.sites[i].node)
		}
		return nil
	}
	a.full, a.need = worded(because), need
	return a.full
}

// askOf is what the pod's successor wants: the same as the pod.
func (s *search) askOf(pod *corev1.Pod) *ask {
	key := askKey{profile: s.profileOf(pod)}
	if len(pod.OwnerReferences) > 0 {
		key.controller = pod.OwnerReferences[0].UID
	}
	disks := s.disksOf(pod)
	if known := s.asks[key]; known != nil && len(disks) == 0 {
		return known
	}
	a := &ask{pod: pod, profile: key.profile, affinity: nodeaffinity.GetRequiredNodeAffinity(pod), disks: disks, ports: hostPorts(pod)}
	a.relations = s.relationsOf(a)
	if len(disks) == 0 {
		s.asks[key] = a
	}
	return a
}

// disksOf are the volumes that the successor has to have. What an ephemeral
// claim stands for is made again, and an unbound claim waits for the node.
func (s *search) disksOf(pod *corev1.Pod) []disk {
	var out []disk
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		claim := s.claims[types.NamespacedName{Namespace: pod.Namespace, Name: v.PersistentVolumeClaim.ClaimName}]
		if claim == nil {
			continue
		}
		pv := s.disks[claim.Spec.VolumeName]
		if pv != nil && pv.Spec.NodeAffinity != nil && pv.Spec.NodeAffinity.Required != nil {
			out = append(out, disk{pv.Name, nodeaffinity.NewLazyErrorNodeSelector(pv.Spec.NodeAffinity.Required)})
		}
	}
	return out
}

// obstacle is why the node cannot have the pod; empty if it can.
func (s *search) obstacle(a *ask, i int, need amounts) string {
	site := &s.sites[i]
	if why := a.unwelcome(site.node); why != "" {
		return why
	}
	if lacks := need.beyond(site.free); len(lacks) > 0 {
		return "without enough " + strings.Join(lacks, " and ")
	}
	for _, port := range a.ports {
		if slices.ContainsFunc(site.ports, port.conflicts) {
			return fmt.Sprintf("with port %d/%s taken", port.number, port.protocol)
		}
	}
	for _, relation := range a.relations {
		if why := relation.forbids(site.node); why != "" {
			return why
		}
	}
	return ""
}

// unwelcome is why the node as such is not for the pod, whatever runs there.
func (a *ask) unwelcome(node *corev1.Node) string {
	if taint := a.repelledBy(node); taint != nil && taint.Key == corev1.TaintNodeUnschedulable {
		return "cordoned"
	} else if taint != nil {
		return "with the taint " + taint.ToString()
	}
	if !a.chooses(node) {
		return "outside its node selector or affinity"
	}
	for _, d := range a.disks {
		if reaches, err := d.nodes.Match(node); err != nil || !reaches {
			return "without its volume " + d.name
		}
	}
	return ""
}

// repelledBy is the taint that keeps the pod away; that of the cordon comes from
// a controller a moment later than the cordon itself.
func (a *ask) repelledBy(node *corev1.Node) *corev1.Taint {
	cordon := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	if node.Spec.Unschedulable && !a.tolerates(&cordon) {
		return &cordon
	}
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect != corev1.TaintEffectPreferNoSchedule && !a.tolerates(taint) {
			return taint
		}
	}
	return nil
}

// chooses reports whether the pod's node selector and affinity match.
func (a *ask) chooses(node *corev1.Node) bool {
	if len(a.pod.Spec.NodeSelector) == 0 && a.pod.Spec.Affinity == nil {
		return true
	}
	match, err := a.affinity.Match(node)
	return err == nil && match
}

func (a *ask) tolerates(taint *corev1.Taint) bool { return kube.Toleration(a.pod, taint) != nil }

// worded lists obstacles with the number of nodes, the commonest first.
func worded(because map[string]int) []string {
	if len(because) == 0 {
		return []string{"there is no node"}
	}
	whys := make([]string, 0, len(because))
	for why := range because {
		whys = append(whys, why)
	}
	slices.SortFunc(whys, func(a, b string) int {
		if because[a] != because[b] {
			return because[b] - because[a]
		}
		return strings.Compare(a, b)
	})
	for i, why := range whys {
		whys[i] = text.Choose(because[why] == 1, "1 node ", fmt.Sprintf("%d nodes ", because[why])) + why
	}
	return whys
}
