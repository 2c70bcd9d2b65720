// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

const (
	// manager is the name under which fields are ours.
	manager = "kubectl-lifecycle"
	// definePause is between two looks at a definition that the API does not serve yet.
	definePause = 200 * time.Millisecond
	// defineTimeout is far more than the API needs to serve one.
	defineTimeout = time.Minute
	// anyKubernetes is for charts of definitions, which render the same everywhere.
	anyKubernetes = "v1.99.0"
)

// Define applies the definitions in a chart by server-side apply: Helm installs those
// in a chart's folder crds once, and never upgrades them, and those of some networks
// are larger than the annotation that a merge on the client needs.
func (c Client) Define(ctx context.Context, desired release.Desired) (int, error) {
	defer quiet()()
	_, definitions, err := c.template(ctx, desired, anyKubernetes)
	if err != nil || len(definitions) == 0 {
		return 0, err
	}
	cfg, err := c.configuration(desired.Namespace)
	if err != nil {
		return 0, err
	}
	built, err := cfg.KubeClient.Build(strings.NewReader(strings.Join(definitions, "\n---\n")), false)
	if err != nil {
		return 0, err
	}
	for _, info := range built {
		raw, err := json.Marshal(info.Object)
		if err != nil {
			return 0, fmt.Errorf("write definition %s: %w", info.Name, err)
		}
		err = info.Client.Patch(types.ApplyPatchType).Resource(info.Mapping.Resource.Resource).Name(info.Name).
			Param("fieldManager", manager).Param("force", "true").Body(raw).Do(ctx).Error()
		if err != nil {
			return 0, fmt.Errorf("apply definition %s: %w", info.Name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, defineTimeout)
	defer cancel()
	for _, info := range built {
		err := established(ctx, func() (runtime.Object, error) {
			return info.Client.Get().Resource(info.Mapping.Resource.Resource).Name(info.Name).Do(ctx).Get()
		})
		if err != nil {
			return 0, fmt.Errorf("wait until the API serves %s: %w", info.Name, err)
		}
	}
	// What was asked of the API before knows nothing of them.
	mapper, err := c.Getter.ToRESTMapper()
	if err != nil {
		return 0, err
	}
	meta.MaybeResetRESTMapper(mapper)
	return len(built), nil
}

// established waits until the API serves what a definition defines.
func established(ctx context.Context, get func() (runtime.Object, error)) error {
	for {
		got, err := get()
		if err != nil {
			return err
		}
		tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(got)
		if err != nil {
			return err
		}
		list, _, _ := unstructured.NestedSlice(tree, "status", "conditions")
		for _, item := range list {
			if c, ok := item.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(definePause):
		}
	}
}
