// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
)

// Store is all that is wanted of Helm. Another version of Helm is another
// implementation.
type Store interface {
	// Find returns the newest revision of a release; the zero Release if there
	// is none.
	Find(ctx context.Context, namespace, name string) (Release, error)
	// Load reads a chart from where the source says.
	Load(ctx context.Context, source chart.Source) (chart.Chart, error)
	// Render has the chart rendered and checked against the API without
	// changing anything, and returns what Apply would write, the record of the
	// release included, and for an upgrade what would change.
	Render(ctx context.Context, desired Desired) (Rendered, error)
	// Template renders the chart as for a Kubernetes of that version, without
	// asking the API.
	Template(ctx context.Context, desired Desired, kubernetes string) (Rendered, error)
	// Define applies the definitions of custom resources in a chart, the rendered
	// ones and those in its folder crds, and waits until the API knows them. It
	// returns how many they are.
	Define(ctx context.Context, desired Desired) (int, error)
	// Apply makes the release so. It does not wait for anything to be ready.
	// What has begun is finished even when ctx ends.
	Apply(ctx context.Context, desired Desired) error
	// Unlock marks an unfinished release as failed, so that Apply can take it
	// up.
	Unlock(ctx context.Context, release Release) error
}

// Remover takes a release away.
type Remover interface {
	// Contents says what Remove would delete, without a change.
	Contents(ctx context.Context, release Release) (Contents, error)
	// Remove deletes the objects of a release, and its record last. It waits for the
	// chart's own hooks, and for nothing else. What has begun is finished even when ctx
	// ends.
	Remove(ctx context.Context, release Release) error
}

// Contents is what a release holds.
type Contents struct {
	// Objects are those that go with it, its records included.
	Objects []Object
	// Kept are those that the chart says are to stay (helm.sh/resource-policy: keep).
	Kept []Object
	// Hooks are what the chart runs before and after: "job calico-uninstall".
	Hooks []string
}

// Desired is how a release shall be.
type Desired struct {
	Namespace, Name string
	Chart           chart.Chart
	Values          map[string]any
	// Action is how to get there.
	Action Action
	// Adopt takes over objects that were applied another way.
	Adopt bool
	// Through says from where an image is taken; nil means from where it is named.
	Through func(image string) string
}

// Rendered is what a chart makes of values.
type Rendered struct {
	Objects []Object
	// Images are those of all pods in it, hooks included, sorted.
	Images []Image
	// Changes are what an upgrade would change in objects that are there.
	Changes []Change
	// Manifest is what was rendered, hooks not among it.
	Manifest string
	// Definitions counts the definitions of custom resources beside the objects.
	Definitions int
}

// Image is an image and the objects whose pods run it.
type Image struct {
	Image string   `json:"image"`
	Of    []string `json:"of"`
	// Hook says that a hook's pods alone run it.
	Hook bool `json:"hook,omitempty"`
}

// Change is an object that an upgrade changes, with the fields.
type Change struct {
	Object string   `json:"object"`
	Fields []string `json:"fields"`
}

// Object names an object in the API.
type Object struct {
	Group     string `json:"group,omitempty"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Action is what is to be done with a release.
type Action string

// The actions.
const (
	// Keep: the release is as it shall be.
	Keep Action = "keep"
	// Install: there is none.
	Install Action = "install"
	// Replace: there is only the record of one that was uninstalled.
	Replace Action = "replace"
	// Upgrade: there is one to go on from, be it deployed or half-made.
	Upgrade Action = "upgrade"
)

// Release is a Helm release: the newest revision of it. The zero value
// (revision 0) says that there is none.
type Release struct {
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	Revision  int       `json:"revision"`
	Status    Status    `json:"status"`
	Updated   time.Time `json:"updated"`
	// Chart, Version and Digest are of the chart of this revision.
	Chart   string `json:"chart"`
	Version string `json:"version"`
	Digest  string `json:"-"`
	// Values are those of the newest revision that was deployed, and nil if
	// none was: what a half-made one was given may be why it is half-made.
	Values map[string]any `json:"-"`
}

// Status is the state of a release, in Helm's words.
type Status string

// The states of a release.
const (
	Deployed        Status = "deployed"
	Failed          Status = "failed"
	Superseded      Status = "superseded"
	Uninstalled     Status = "uninstalled"
	Uninstalling    Status = "uninstalling"
	PendingInstall  Status = "pending-install"
	PendingUpgrade  Status = "pending-upgrade"
	PendingRollback Status = "pending-rollback"
)

// Unfinished says that another program works on the release, or was killed while
// it did.
func (s Status) Unfinished() bool {
	switch s {
	case Uninstalling, PendingInstall, PendingUpgrade, PendingRollback:
		return true
	case Deployed, Failed, Superseded, Uninstalled:
	}
	return false
}
