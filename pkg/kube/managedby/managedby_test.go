// SPDX-License-Identifier: Apache-2.0

package managedby

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FuzzReleasesOf: what labels and annotations claim makes no more releases than
// there are tools, and none without a name; what it says of a release is made of
// what was there.
func FuzzReleasesOf(f *testing.F) {
	f.Add("app:apps/Deployment:shop/web", "argocd_web", "web")
	f.Add("_:_", "_", "")
	f.Add(":", "a_", "\x1b[2J")
	f.Fuzz(func(t *testing.T, tracking, instance, name string) {
		labels := map[string]string{argoInstance: instance, helmManaged: "Helm", fluxHelmPrefix + "name": name, fluxKustomizeRoot + "name": name}
		notes := map[string]string{argoTracking: tracking, helmName: name, helmNamespace: instance}
		app := argoOf(labels, notes)
		if len(app.Name)+len(app.Namespace) > len(tracking)+len(instance) {
			t.Errorf("made up: %+v", app)
		}
		all := Of(&metav1.ObjectMeta{Labels: labels, Annotations: notes})
		if len(all) > 5 {
			t.Errorf("%d releases", len(all))
		}
		for _, r := range all {
			if r.Name == "" || r.Tool == "" {
				t.Errorf("a release without a name: %+v", r)
			}
		}
	})
}

func TestReleasesAreReadFromWhatToolsWriteOnObjects(t *testing.T) {
	yes := true
	helm := map[string]string{"app.kubernetes.io/managed-by": "Helm"}
	named := map[string]string{"meta.helm.sh/release-name": "gitea", "meta.helm.sh/release-namespace": "git"}
	flux := map[string]string{"app.kubernetes.io/managed-by": "Helm", "helm.toolkit.fluxcd.io/name": "gitea",
		"helm.toolkit.fluxcd.io/namespace": "flux"}
	for _, tc := range []struct {
		name   string
		object metav1.ObjectMeta
		want   []string
		where  string
	}{
		{"nothing is written", metav1.ObjectMeta{}, nil, ""},
		{"Helm writes a label and annotations", metav1.ObjectMeta{Labels: helm, Annotations: named},
			[]string{"Helm release gitea in namespace git"}, "helm -n git get values gitea --all"},
		{"the label alone may be anybody's", metav1.ObjectMeta{Labels: helm}, nil, ""},
		{"a HelmRelease of Flux is not named twice", metav1.ObjectMeta{Labels: flux, Annotations: named},
			[]string{"Flux HelmRelease gitea in namespace flux"}, "kubectl -n flux get helmreleases.helm.toolkit.fluxcd.io gitea -o yaml"},
		{"a Kustomization of Flux", metav1.ObjectMeta{Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps",
			"kustomize.toolkit.fluxcd.io/namespace": "flux"}}, []string{"Flux Kustomization apps in namespace flux"}, "kubectl -n flux get " +
			"kustomizations.kustomize.toolkit.fluxcd.io apps -o yaml"},
		{"Argo CD tracks by an annotation",
			metav1.ObjectMeta{Annotations: map[string]string{"argocd.argoproj.io/tracking-id": "shop:policy/PodDisruptionBudget:shop/web"}},
			[]string{"Argo CD application shop"}, "kubectl get applications.argoproj.io -A --field-selector metadata.name=shop -o yaml"},
		{"Argo CD in any namespace", metav1.ObjectMeta{Annotations: map[string]string{
			"argocd.argoproj.io/tracking-id": "team_shop:apps/Deployment:shop/web",
		}}, []string{"Argo CD application shop in namespace team"}, ""},
		{"Argo CD tracks by a label", metav1.ObjectMeta{Labels: map[string]string{"argocd.argoproj.io/instance": "shop"}},
			[]string{"Argo CD application shop"}, ""},
		{"Argo CD renders a chart of Helm", metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm",
			"argocd.argoproj.io/instance": "shop"}}, []string{"Argo CD application shop"}, ""},
		{"an operator owns it", metav1.ObjectMeta{Namespace: "db", OwnerReferences: []metav1.OwnerReference{{Kind: "Cluster", Name: "pg",
			Controller: &yes}}}, []string{"Cluster/pg in namespace db"}, "kubectl -n db get cluster pg -o yaml"},
		{"a Deployment is no operator", metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "web",
			Controller: &yes}}}, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, r := range Of(&tc.object) {
				got = append(got, r.String())
				if tc.where != "" && r.Where() != tc.where {
					t.Errorf("where: %s", r.Where())
				}
				if !strings.Contains(r.Undoes(), "undoes a manual edit") {
					t.Errorf("undoes: %s", r.Undoes())
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
