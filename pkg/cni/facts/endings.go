// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxHomes bounds how many namespaces are asked for.
const maxHomes = 5

// Ending is a namespace or a DaemonSet of a network that is being deleted: no agent is
// made in it.
type Ending struct {
	CNI       string `json:"cni"`
	Namespace string `json:"namespace"`
	// DaemonSet is empty if the namespace itself is being deleted.
	DaemonSet string `json:"daemonSet,omitempty"`
	// Kept says what keeps it, as far as it says so.
	Kept string `json:"kept,omitempty"`
}

// String is "namespace kube-flannel", or "daemonset kube-flannel/kube-flannel-ds".
func (e Ending) String() string {
	return text.Choose(e.DaemonSet == "", "namespace "+e.Namespace, "daemonset "+e.Namespace+"/"+e.DaemonSet)
}

// readEndings looks for what is being deleted: at the namespaces of the agents that are
// there, else at those where networks are installed, for the agents go first. A
// namespace that may not be read is passed over.
func readEndings(ctx context.Context, client kubernetes.Interface, f Facts, o Objects, signs []Sign) []Ending {
	var out []Ending
	homes, order := map[string]string{}, []string{}
	add := func(namespace, cni string) {
		if namespace != "" && namespace != metav1.NamespaceSystem && homes[namespace] == "" && len(order) < maxHomes {
			homes[namespace] = cni
			order = append(order, namespace)
		}
	}
	for i, n := range f.Networks {
		add(n.Namespace, n.CNI)
		if set := o.Agents[i]; set.DeletionTimestamp != nil {
			kept := ""
			if len(set.Finalizers) > 0 {
				kept = text.Brief("its finalizers: " + text.Some(set.Finalizers))
			}
			out = append(out, Ending{CNI: n.CNI, Namespace: n.Namespace, DaemonSet: n.DaemonSet, Kept: kept})
		}
	}
	if len(f.Networks) == 0 {
		for _, s := range signs {
			add(s.Namespace, s.CNI)
		}
	}
	for _, name := range order {
		ns, err := client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err == nil && ns.DeletionTimestamp != nil {
			// It takes its DaemonSets along.
			out = slices.DeleteFunc(out, func(e Ending) bool { return e.Namespace == name })
			out = append(out, Ending{CNI: homes[name], Namespace: name, Kept: remaining(ns)})
		}
	}
	return out
}

// remaining is what the controller of namespaces says of what is left in one.
func remaining(ns *corev1.Namespace) string {
	var said []string
	for _, c := range ns.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			said = append(said, c.Message)
		}
	}
	return text.Brief(strings.Join(said, "; "))
}
