// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// asksAtOnce is how many images are asked for at the same time.
const asksAtOnce = 4

// Images knows for which architectures an image is there.
type Images interface {
	Architectures(ctx context.Context, image string) ([]string, error)
}

// Proof is what a registry says of one image.
type Proof struct {
	Image string `json:"image"`
	// Architectures are those that it is there for, Missing those of nodes that it
	// is not there for.
	Architectures []string `json:"architectures,omitempty"`
	Missing       []string `json:"missing,omitempty"`
	// Failed says why there is no answer.
	Failed string `json:"failed,omitempty"`
}

// Prove asks for every image of an installation whether its registry has it for the
// architectures of all nodes. It refuses (class Refused) if one is not there: the
// agents of a network that is half pulled are worse than none.
func Prove(ctx context.Context, registry Images, f facts.Facts, inst Installation) ([]Proof, error) {
	wanted := architectures(f)
	proofs := make([]Proof, len(inst.Images))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(asksAtOnce)
	for i, image := range inst.Images {
		group.Go(func() error {
			proofs[i] = Proof{Image: image.Image}
			found, err := registry.Architectures(within, image.Image)
			if err != nil {
				proofs[i].Failed = err.Error()
				return nil
			}
			proofs[i].Architectures = found
			for _, w := range wanted {
				if !slices.Contains(found, w) {
					proofs[i].Missing = append(proofs[i].Missing, w)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	var lines []string
	for _, p := range proofs {
		switch {
		case p.Failed != "":
			lines = append(lines, p.Image+": "+p.Failed)
		case len(p.Missing) > 0:
			lines = append(lines, p.Image+": not for "+strings.Join(p.Missing, ", ")+", which nodes have")
		}
	}
	if len(lines) > 0 {
		return proofs, plan.Refuse(fmt.Errorf("%d of %d images cannot be pulled:\n%s", len(lines), len(proofs), strings.Join(lines, "\n")),
			"copy them there (kubectl lifecycle cni images %s -o name lists them as they are named by their projects), or correct --mirror",
			text.Quote(inst.CNI))
	}
	return proofs, nil
}

// architectures are those of the nodes that run Linux.
func architectures(f facts.Facts) []string {
	var out []string
	for _, n := range f.Nodes {
		if n.OS == "linux" && n.Arch != "" {
			out = append(out, n.Arch)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
