// SPDX-License-Identifier: Apache-2.0

package managedby

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Tool is a program that keeps objects as it has them.
type Tool string

// The tools.
const (
	// Helm puts a manual edit back at the release's next upgrade.
	Helm Tool = "Helm"
	// ArgoCD puts it back when it syncs, at once with self-heal.
	ArgoCD Tool = "Argo CD"
	// FluxHelm is a HelmRelease of Flux.
	FluxHelm Tool = "Flux HelmRelease"
	// FluxKustomize is a Kustomization of Flux; it puts a manual edit back at
	// its next interval.
	FluxKustomize Tool = "Flux Kustomization"
	// Operator is a controller that made the object.
	Operator Tool = "operator"
)

// Release is what an object was made by.
type Release struct {
	Tool      Tool   `json:"tool"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	// Kind is that of the owner, for an Operator.
	Kind string `json:"kind,omitempty"`
}

// What tools write on the objects that they make (Helm 3 and 4; Argo CD 3,
// whose annotation is "app:group/kind:namespace/name"; Flux 2).
const (
	helmManaged       = "app.kubernetes.io/managed-by"
	helmName          = "meta.helm.sh/release-name"
	helmNamespace     = "meta.helm.sh/release-namespace"
	argoTracking      = "argocd.argoproj.io/tracking-id"
	argoInstance      = "argocd.argoproj.io/instance"
	fluxHelmPrefix    = "helm.toolkit.fluxcd.io/"
	fluxKustomizeRoot = "kustomize.toolkit.fluxcd.io/"
)

// Of says what an object was made by, the one first that would undo a
// manual edit soonest.
func Of(object metav1.Object) []Release {
	labels, notes := object.GetLabels(), object.GetAnnotations()
	var out []Release
	for _, flux := range []struct {
		tool   Tool
		prefix string
	}{{FluxKustomize, fluxKustomizeRoot}, {FluxHelm, fluxHelmPrefix}} {
		if name := labels[flux.prefix+"name"]; name != "" {
			out = append(out, Release{Tool: flux.tool, Name: name, Namespace: labels[flux.prefix+"namespace"]})
		}
	}
	if app := argoOf(labels, notes); app.Name != "" {
		out = append(out, app)
	}
	// Flux's HelmReleases are Helm's as well; the one entry says both.
	if name := notes[helmName]; name != "" && labels[helmManaged] == "Helm" && labels[fluxHelmPrefix+"name"] == "" {
		out = append(out, Release{Tool: Helm, Name: name, Namespace: notes[helmNamespace]})
	}
	if ref := metav1.GetControllerOf(object); ref != nil && ref.Kind != "Deployment" {
		out = append(out, Release{Tool: Operator, Kind: ref.Kind, Name: ref.Name, Namespace: object.GetNamespace()})
	}
	return out
}

// argoOf is the application of Argo CD; one outside of its own namespace is
// called namespace_name.
func argoOf(labels, notes map[string]string) Release {
	name, _, tracked := strings.Cut(notes[argoTracking], ":")
	for _, other := range []string{labels[argoInstance], notes[argoInstance]} {
		if !tracked || name == "" {
			name, tracked = other, other != ""
		}
	}
	if namespace, own, apart := strings.Cut(name, "_"); apart {
		return Release{Tool: ArgoCD, Name: own, Namespace: namespace}
	}
	return Release{Tool: ArgoCD, Name: name}
}

// String is "Helm release gitea in namespace git".
func (r Release) String() string {
	what := map[Tool]string{
		Helm: "Helm release " + r.Name, ArgoCD: "Argo CD application " + r.Name,
		FluxHelm: "Flux HelmRelease " + r.Name, FluxKustomize: "Flux Kustomization " + r.Name,
		Operator: r.Kind + "/" + r.Name,
	}[r.Tool]
	return what + text.Choose(r.Namespace == "", "", " in namespace "+r.Namespace)
}

// Undoes says what becomes of a manual edit.
func (r Release) Undoes() string {
	when := map[Tool]string{
		Helm: "at its next upgrade", FluxHelm: "at its next upgrade, or at once with drift detection",
		FluxKustomize: "at its next interval", ArgoCD: "when it syncs, at once with self-heal", Operator: "by way of its operator",
	}[r.Tool]
	return fmt.Sprintf("%s undoes a manual edit %s; the value lives in its %s", r, when, text.Choose(r.Tool == ArgoCD ||
		r.Tool == FluxKustomize, "source", text.Choose(r.Tool == Operator, "spec", "values")))
}

// Where is a command that shows where the value lives; empty if the words of the
// annotations and references are no names, so that no command comes of them. Who
// may write to the object chose them, and a word that begins with a dash would be
// an option, quoted or not.
func (r Release) Where() string {
	if !named(r.Name) || !named(text.Choose(r.Tool == ArgoCD, r.Name, r.Namespace)) {
		return ""
	}
	switch r.Tool {
	case Helm:
		return text.Command("helm", "-n", r.Namespace, "get", "values", r.Name, "--all")
	case FluxHelm:
		return text.Command("kubectl", "-n", r.Namespace, "get", "helmreleases.helm.toolkit.fluxcd.io", r.Name, "-o", "yaml")
	case FluxKustomize:
		return text.Command("kubectl", "-n", r.Namespace, "get", "kustomizations.kustomize.toolkit.fluxcd.io", r.Name, "-o", "yaml")
	case ArgoCD:
		return text.Command("kubectl", "get", "applications.argoproj.io", "-A", "--field-selector", "metadata.name="+r.Name, "-o", "yaml")
	case Operator:
	}
	kind := strings.ToLower(r.Kind)
	if !named(kind) {
		return ""
	}
	return text.Command("kubectl", "-n", r.Namespace, "get", kind, r.Name, "-o", "yaml")
}

// named says that a word is a name that an API server takes for one.
func named(word string) bool { return len(validation.IsDNS1123Subdomain(word)) == 0 }
