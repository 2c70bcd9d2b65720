// SPDX-License-Identifier: Apache-2.0

package kubenode

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Finalizers names an object's finalizers, at most five, each with who set it as
// far as the API server has noted that.
func Finalizers(object metav1.Object) string {
	const most = 5
	var out []string
	for _, f := range object.GetFinalizers() {
		if len(out) == most {
			out = append(out, fmt.Sprintf("%d more", len(object.GetFinalizers())-most))
			break
		}
		name := text.Short(f, 128)
		if by := setBy(object, f); by != "" {
			name += " (set by " + text.Short(by, 64) + ")"
		}
		out = append(out, name)
	}
	if len(out) == 1 {
		return "finalizer " + out[0]
	}
	return "finalizers " + strings.Join(out, ", ")
}

// setBy is the field manager that put a finalizer on an object; empty if the API
// server has not noted it.
func setBy(object metav1.Object, finalizer string) string {
	key, err := json.Marshal(finalizer)
	if err != nil {
		return ""
	}
	for _, entry := range object.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		var set struct {
			Metadata struct {
				Finalizers map[string]json.RawMessage `json:"f:finalizers"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, ok := set.Metadata.Finalizers["v:"+string(key)]; ok {
			return entry.Manager
		}
	}
	return ""
}
