// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"errors"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Explanation is what is to be known of one pitfall.
type Explanation struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Cause is why it happens, See are commands that show it, Cure is the way out.
	Cause string   `json:"cause"`
	See   []string `json:"see"`
	Cure  string   `json:"cure"`
	// Sources are where others have had it: issues of projects, and documents.
	Sources []string `json:"sources"`
}

// Explanations are all, in the order of their ids.
func Explanations() []Explanation {
	return slices.Concat(fromCNI001(), fromCNI005(), fromCNI010(), fromCNI015(), fromCNI019(), fromCNI024(), fromCNI029())
}

// Explain returns the explanation of an id; the error for one that is not known is of
// class Misused.
func Explain(id string) (Explanation, error) {
	all := Explanations()
	i := slices.IndexFunc(all, func(e Explanation) bool { return strings.EqualFold(e.ID, id) })
	if i < 0 {
		return Explanation{}, plan.As(plan.Misused, plan.Hint(errors.New("there is no finding with the id "+id), "ids are %s to %s; list them: "+
			"kubectl lifecycle cni explain", all[0].ID, all[len(all)-1].ID))
	}
	return all[i], nil
}
