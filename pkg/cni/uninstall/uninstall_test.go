// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// remover holds one object, and notes that it was removed.
type remover struct{ removed int }

func (*remover) Contents(context.Context, release.Release) (release.Contents, error) {
	return release.Contents{Objects: []release.Object{{Group: "apps", Resource: "daemonsets", Namespace: "kube-flannel",
		Name: "kube-flannel-ds"}}}, nil
}

func (r *remover) Remove(context.Context, release.Release) error {
	r.removed++
	return nil
}

// there is what a cluster says whose flannel is a release.
func there(change ...func(*facts.Facts)) facts.Facts {
	f := facts.Facts{
		Networks: []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel",
			ReleaseNamespace: "kube-flannel", Managed: []managedby.Release{{Tool: managedby.Helm, Name: "flannel"}}}},
		Releases: []release.Release{{Name: "flannel", Namespace: "kube-flannel", Revision: 2, Status: release.Deployed}},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

// marked is a node that flannel has written on, and a person, too.
func marked(name string) *corev1.Node {
	n := cnitest.Node(name, cnitest.Ready)
	n.Annotations["flannel.alpha.coreos.com/public-ip-overwrite"] = "192.0.2.1"
	n.Annotations["example.com/own"] = "x"
	n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable,
		Status: corev1.ConditionFalse, Reason: "FlannelIsUp"})
	return n
}

func pod(namespace, name string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9"}
	if change != nil {
		change(p)
	}
	return p
}

func flannel(t *testing.T) catalogue.Network {
	t.Helper()
	n, err := catalogue.Find("flannel")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnUninstallationNamesWhatGoesAndDoesIt(t *testing.T) {
	client := fake.NewClientset(marked("a"), cnitest.Node("b"), pod("kube-system", "coredns-1", func(p *corev1.Pod) {
		p.Labels = map[string]string{"k8s-app": "kube-dns"}
	}), pod("kube-flannel", "own", nil), pod("shop", "host", func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		pod("shop", "done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }))
	r := &remover{}
	seen, err := Survey(t.Context(), client, r, there(), flannel(t))
	if err != nil {
		t.Fatal(err)
	}
	u, err := Decide(seen, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Objects) != 1 || len(u.Marks) != 1 || u.Marks[0].Node != "a" || !u.Marks[0].Condition || len(u.Marks[0].Annotations) != 2 {
		t.Errorf("%+v", u)
	}
	if !slices.ContainsFunc(u.OnHosts, func(s string) bool { return strings.Contains(s, "/etc/cni/net.d/10-flannel.conflist") }) {
		t.Errorf("it does not say what stays on hosts: %q", u.OnHosts)
	}
	if _, err := Recipe(client, r, u).Run(t.Context(), plan.Discard); err != nil || r.removed != 1 {
		t.Fatalf("%v, removed %d times", err, r.removed)
	}
	node, err := client.CoreV1().Nodes().Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(node.Annotations) != 2 || node.Annotations["example.com/own"] == "" ||
		node.Annotations["flannel.alpha.coreos.com/public-ip-overwrite"] == "" {
		t.Errorf("of the node's annotations %v are left", node.Annotations)
	}
	again, err := Survey(t.Context(), client, r, facts.Facts{}, flannel(t))
	if err != nil {
		t.Fatal(err)
	}
	if u, err = Decide(again, false); err != nil || len(u.Objects) > 0 {
		t.Errorf("%v, %+v", err, u)
	}
}

func TestAnUninstallationIsRefused(t *testing.T) {
	web := pod("shop", "web", func(p *corev1.Pod) {
		yes := true
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-1", Controller: &yes}}
	})
	for name, c := range map[string]struct {
		facts    facts.Facts
		pods     []*corev1.Pod
		withPods bool
		says     string
		hint     string
	}{
		"while pods use it":       {there(), []*corev1.Pod{web}, false, "1 pod runs in this network (shop/ReplicaSet/web-1)", "--with-pods"},
		"unless they may lose it": {there(), []*corev1.Pod{web}, true, "", ""},
		"whatever label they have": {there(), []*corev1.Pod{pod("shop", "dns", func(p *corev1.Pod) {
			p.Labels = map[string]string{"k8s-app": "kube-dns"}
		})}, false, "1 pod runs in this network (shop/Pod/dns)", "--with-pods"},
		"not when it is gone": {facts.Facts{}, []*corev1.Pod{web}, false, "", ""},
		"one of Argo CD": {there(func(f *facts.Facts) {
			f.Networks[0].Managed = []managedby.Release{{Tool: managedby.ArgoCD, Name: "net"}}
		}), nil, false, "CNI020", "explain"},
		"one that is manifests": {there(func(f *facts.Facts) {
			f.Releases, f.Networks[0].Release = nil, ""
		}), nil, false, "applied as manifests", "--adopt"},
		"an uninstalled release is": {there(func(f *facts.Facts) { f.Releases[0].Status = release.Uninstalled }), nil, false,
			"applied as manifests", ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			for _, p := range c.pods {
				if err := client.Tracker().Add(p); err != nil {
					t.Fatal(err)
				}
			}
			seen, err := Survey(t.Context(), client, &remover{}, c.facts, flannel(t))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Decide(seen, c.withPods)
			if (err != nil) != (c.says != "") || err != nil && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(plan.HintOf(err), c.hint)) {
				t.Errorf("%v\n%s", err, plan.HintOf(err))
			}
		})
	}
}

// The DaemonSet, the release and what it holds of a tenant's decide nothing.
func TestATenantChoosesNoReleaseThatIsRemoved(t *testing.T) {
	evil := facts.Network{CNI: "flannel", Namespace: "dev", DaemonSet: "kube-flannel-ds", Release: "evil", ReleaseNamespace: "dev"}
	evilRelease := release.Release{Namespace: "dev", Name: "evil", Revision: 1, Status: release.Deployed}
	with := func(f *facts.Facts) {
		f.Networks = append([]facts.Network{evil}, f.Networks...)
		f.Releases = append(f.Releases, evilRelease)
	}
	alone := facts.Facts{Networks: []facts.Network{evil}, Releases: []release.Release{evilRelease}}
	for name, c := range map[string]struct {
		facts facts.Facts
		home  string
		says  string
	}{
		"beside the network's own in kube-system": {there(with, func(f *facts.Facts) {
			f.Networks[1].Namespace = "kube-system"
		}), "kube-flannel/flannel", ""},
		"beside the network's own in that of its project": {there(with), "kube-flannel/flannel", ""},
		"beside the network's own in a namespace of administrators": {there(with, func(f *facts.Facts) {
			f.Administered = []string{"kube-flannel"}
		}), "kube-flannel/flannel", ""},
		"alone": {alone, "", "daemonset dev/kube-flannel-ds is in namespace dev, which is not marked as one of administrators"},
		"alone, and the namespace is one of administrators": {func() facts.Facts {
			f := alone
			f.Administered = []string{"dev"}
			return f
		}(), "dev/evil", ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := Survey(t.Context(), fake.NewClientset(), &remover{}, c.facts, flannel(t))
			if err != nil {
				t.Fatal(err)
			}
			u, err := Decide(seen, false)
			if c.says != "" {
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.says) || !strings.Contains(plan.HintOf(err), "kubectl label") {
					t.Errorf("%v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if got := u.Release.Namespace + "/" + u.Release.Name; err != nil || got != c.home {
				t.Errorf("%s, want %s, %v", got, c.home, err)
			}
		})
	}
}

func TestAReleaseThatHoldsMoreThanTheNetworkIsNotRemoved(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "cilium-secrets", Name: "made-by-hand"}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "cilium-secrets", Name: "of-the-release"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "cilium-secrets", Name: "kube-root-ca.crt"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "empty", Name: "kube-root-ca.crt"}})
	of := release.Object{Resource: "secrets", Namespace: "cilium-secrets", Name: "of-the-release"}
	for name, c := range map[string]struct {
		objects []release.Object
		says    string
	}{
		"a definition": {[]release.Object{{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions", Name: "subnets.kubeovn.io"}},
			"subnets.kubeovn.io"},
		"a namespace with a Secret of a person's": {[]release.Object{{Resource: "namespaces", Name: "cilium-secrets"}, of},
			"secrets made-by-hand"},
		"a namespace with nothing in it": {[]release.Object{{Resource: "namespaces", Name: "empty"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := inside(t.Context(), client, c.objects)
			if err != nil {
				t.Fatal(err)
			}
			err = holdsMore(Seen{Inside: found, Release: release.Release{Namespace: "n", Name: "r"}}, Uninstallation{Objects: c.objects})
			if c.says == "" && err != nil || c.says != "" && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.says) ||
				!strings.Contains(plan.HintOf(err), "helm uninstall r --namespace n")) {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			if err != nil && strings.Contains(err.Error(), "of-the-release") {
				t.Errorf("it names the release's own: %v", err)
			}
		})
	}
}

func TestWhichNetworkIsMeant(t *testing.T) {
	two := there(func(f *facts.Facts) { f.Networks = append(f.Networks, facts.Network{CNI: "cilium"}) })
	for name, c := range map[string]struct {
		facts facts.Facts
		name  string
		want  string
		says  string
	}{
		"the only one":    {there(), "", "flannel", ""},
		"the named one":   {two, "cilium", "cilium", ""},
		"none is there":   {facts.Facts{}, "", "", "none of the networks"},
		"several":         {two, "", "", "several networks"},
		"an unknown name": {there(), "x", "", "unknown network"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Choose(c.facts, c.name)
			if n.Name != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, %v", n.Name, err)
			}
		})
	}
}

func TestObjectsOfAgentsAreDeletedByTheirUIDs(t *testing.T) {
	var deleted []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodDelete:
			var options metav1.DeleteOptions
			if json.NewDecoder(r.Body).Decode(&options) != nil || options.Preconditions == nil {
				t.Error("no UID")
				return
			}
			deleted = append(deleted, r.URL.Path+" "+string(*options.Preconditions.UID))
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
		case strings.HasSuffix(r.URL.Path, "/things") && r.URL.Query().Get("continue") == "":
			_, _ = fmt.Fprint(w, `{"metadata":{"continue":"2"},"items":[{"metadata":{"name":"b","namespace":"n","uid":"1"}}]}`)
		case strings.HasSuffix(r.URL.Path, "/things"):
			_, _ = fmt.Fprint(w, `{"items":[{"metadata":{"name":"a","uid":"2"}}]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
		}
	}))
	defer server.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	made, err := list(t.Context(), client, catalogue.Kind{Group: "g", Version: "v1", Resource: "things"})
	if err != nil || len(made) != 2 || made[0].Name != "a" {
		t.Fatalf("%v, %+v", err, made)
	}
	if none, err := list(t.Context(), client, catalogue.Kind{Group: "g", Version: "v1", Resource: "others"}); err != nil || len(none) > 0 {
		t.Errorf("a kind that the API does not know: %v, %v", err, none)
	}
	if err := deleteMade(t.Context(), client, made); err != nil {
		t.Fatal(err)
	}
	slices.Sort(deleted)
	if got := strings.Join(deleted, ", "); got != "/apis/g/v1/namespaces/n/things/b 1, /apis/g/v1/things/a 2" {
		t.Errorf("deleted %s", got)
	}
}

// What Canal is made of is on hosts and on Nodes under the names of its parts.
func TestANetworkStaysOfWhichAnotherIsMade(t *testing.T) {
	runs := func(cni, namespace, set string) facts.Network {
		return facts.Network{CNI: cni, Namespace: namespace, DaemonSet: set}
	}
	for name, c := range map[string]struct {
		network string
		beside  []facts.Network
		says    string // empty if it may go
		agents  string // that hosts look for
	}{
		"flannel under Canal":         {"flannel", []facts.Network{runs("canal", "kube-system", "canal")}, "made of flannel", ""},
		"Calico under Canal":          {"calico", []facts.Network{runs("canal", "kube-system", "canal")}, "which is made of calico", ""},
		"Canal in another namespace":  {"flannel", []facts.Network{runs("canal", "networking", "policies")}, "networking/policies", ""},
		"Canal behind another one":    {"flannel", []facts.Network{runs("weave", "x", "y"), runs("canal", "x", "rke2-canal")}, "rke2-canal", ""},
		"Cilium beside Canal":         {"cilium", []facts.Network{runs("canal", "kube-system", "canal")}, "", "kube-system/cilium-"},
		"flannel beside Weave":        {"flannel", []facts.Network{runs("weave", "kube-system", "weave-net")}, "", "kube-system/rke2-canal-"},
		"Calico where nothing is now": {"calico", nil, "", "kube-system/canal-"},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := catalogue.Find(c.network)
			if err != nil {
				t.Fatal(err)
			}
			u, err := Decide(Seen{Network: n, Facts: facts.Facts{Networks: c.beside}}, true)
			if c.says != "" {
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.says) ||
					!strings.Contains(plan.HintOf(err), "kubectl delete -f") {
					t.Errorf("%v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if err != nil || !slices.Contains(u.Agents(), c.agents) {
				t.Errorf("%v, agents %q", err, u.Agents())
			}
			if canals := slices.Contains(u.Agents(), "kube-system/canal-"); canals == (c.network == "cilium") {
				t.Errorf("agents %q", u.Agents())
			}
		})
	}
}
