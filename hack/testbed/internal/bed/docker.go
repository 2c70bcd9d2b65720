// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

const (
	// network is the Docker network that kind makes for all of its clusters.
	network = "kind"
	// clusterLabel is kind's own mark on the containers of a cluster.
	clusterLabel = "io.x-k8s.kind.cluster"
	// blankLabel marks the blank hosts of a bed, so that down finds them all.
	blankLabel = "kubectl-lifecycle.testbed"
)

// container is what is asked about a container.
type container struct {
	Exists, Running bool
	Image           string
}

func inspect(ctx context.Context, name string) (container, error) {
	all, err := sys.Command("docker", "ps", "--all", "--filter", "name=^/"+name+"$",
		"--format", "{{.State}} {{.Image}}").Output(ctx)
	if err != nil {
		return container{}, fmt.Errorf("look for container %s: %w", name, err)
	}
	if all == "" {
		return container{}, nil
	}
	state, image, _ := strings.Cut(all, " ")
	return container{Exists: true, Running: state == "running", Image: image}, nil
}

// ownContainers lists the containers of this bed: nodes and blank hosts.
func (b *Bed) ownContainers(ctx context.Context) ([]string, error) {
	var names []string
	for _, label := range []string{clusterLabel, blankLabel} {
		out, err := sys.Command("docker", "ps", "--all", "--filter", "label="+label+"="+b.Name,
			"--format", "{{.Names}}").Output(ctx)
		if err != nil {
			return nil, fmt.Errorf("list containers of test bed: %w", err)
		}
		names = append(names, lines(out)...)
	}
	slices.Sort(names)
	return names, nil
}

// removeContainers removes containers with their anonymous volumes, which are
// the nodes' /var: gigabytes that no later run would find.
func removeContainers(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	args := append([]string{"rm", "--force", "--volumes"}, names...)
	if err := sys.Command("docker", args...).Run(ctx); err != nil {
		return fmt.Errorf("remove containers: %w", err)
	}
	return nil
}

// onHost runs a command in a container and returns its output.
func onHost(ctx context.Context, name string, command ...string) (string, error) {
	return sys.Command("docker", append([]string{"exec", name}, command...)...).Output(ctx)
}

// lines splits output into lines that are not empty.
func lines(output string) []string {
	return slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool { return line == "" })
}

// jsonField reads one string out of a JSON object.
func jsonField(document, field string) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(document), &object); err != nil {
		return "", fmt.Errorf("parse output: %w", err)
	}
	value, ok := object[field].(string)
	if !ok {
		return "", fmt.Errorf("parse output: no field %s", field)
	}
	return value, nil
}
