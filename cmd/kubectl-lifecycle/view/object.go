// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// APIVersion is that of all results. Fields may be added to them; one that is there keeps
// its name and its meaning.
const APIVersion = "lifecycle.kubectl.dev/v1alpha1"

// Object is a result with its kind: for machines, one of docs/output.md.
type Object struct {
	kind  string
	value any
}

// Of gives a result its kind. Several of a kind (a slice) are a list of it, as kubectl's
// lists are.
func Of(kind string, value any) Object { return Object{kind, value} }

// MarshalJSON writes the kind first, and then the result's own fields in their order.
func (o Object) MarshalJSON() ([]byte, error) {
	raw, err := marshal(o.value)
	if err != nil {
		return nil, err
	}
	kind := o.kind
	switch {
	case bytes.Equal(raw, []byte("null")):
		raw = []byte(`,"items":[]}`)
		kind += "List"
	case raw[0] == '[':
		raw = append(append([]byte(`,"items":`), raw...), '}')
		kind += "List"
	case raw[0] == '{' && len(raw) > 2:
		raw = append([]byte{','}, raw[1:]...)
	case raw[0] == '{':
		raw = []byte("}")
	default:
		return nil, fmt.Errorf("a %s is no object", o.kind)
	}
	head, err := marshal(kind)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(`{"apiVersion":"`+APIVersion+`","kind":`), head...), raw...), nil
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// tree is a result as templates see it: by its JSON names.
func tree(result any, terminal bool) (map[string]any, error) {
	raw, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	if err := utiljson.Unmarshal(raw, &value); err != nil {
		return nil, err
	}
	if terminal {
		value, _ = visible(value).(map[string]any)
	}
	return value, nil
}

// listed are the objects of a result: those of a list, or the one.
func listed(value map[string]any) (all []unstructured.Unstructured, list bool) {
	items, list := value["items"].([]any)
	if _, typed := value["apiVersion"]; !list || !typed {
		return []unstructured.Unstructured{{Object: value}}, false
	}
	for _, item := range items {
		object, is := item.(map[string]any)
		if !is {
			object = map[string]any{"value": item}
		}
		all = append(all, unstructured.Unstructured{Object: object})
	}
	return all, true
}
