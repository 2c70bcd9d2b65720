// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"fmt"
	"os"

	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// ReadValues reads the values that a person gives, as Helm does: files of YAML
// in their order, over them sets of the form "a.b=c,d={1,2}". An error is of
// class Misused.
func ReadValues(files, sets []string) (map[string]any, error) {
	laid := map[string]any{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read values: %w", err))
		}
		read := map[string]any{}
		if err := yaml.Unmarshal(raw, &read); err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read values %s: %w", name, err))
		}
		laid = values.Merge(laid, read)
	}
	for _, set := range sets {
		if err := strvals.ParseInto(set, laid); err != nil {
			return nil, plan.As(plan.Misused, fmt.Errorf("read --set %s: %w", set, err))
		}
	}
	return laid, nil
}
