// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// configAnnotation holds the hash of the ConfigMaps that an agent reads, in the
// template of its pods. Agents read their configuration when they start, and
// flannel's chart has no such annotation: a changed value would change a
// ConfigMap and nothing else.
const configAnnotation = "kubectl-lifecycle/config"

// separator ends a YAML document.
func separator() *regexp.Regexp { return regexp.MustCompile(`(?m)^---[ \t]*\n`) }

// stampConfig adds configAnnotation to every DaemonSet of a rendered chart that
// mounts a ConfigMap of the same chart. What needs no stamp stays as it is, byte
// for byte.
func stampConfig(rendered []byte) ([]byte, error) {
	documents := separator().Split(string(rendered), -1)
	configs := map[string]map[string]string{}
	for _, doc := range documents {
		var config corev1.ConfigMap
		if err := yaml.Unmarshal([]byte(doc), &config); err != nil {
			return nil, fmt.Errorf("read rendered chart: %w", err)
		}
		if config.Kind == "ConfigMap" {
			configs[config.Name] = config.Data
		}
	}
	var out bytes.Buffer
	for i, doc := range documents {
		stamped, err := stampDocument(doc, configs)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.WriteString(stamped)
	}
	return out.Bytes(), nil
}

func stampDocument(doc string, configs map[string]map[string]string) (string, error) {
	var set appsv1.DaemonSet
	// A document of another kind may not fit a DaemonSet's fields, so the kind
	// is read first.
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(doc), &tree); err != nil {
		return "", fmt.Errorf("read rendered chart: %w", err)
	}
	if tree["kind"] != "DaemonSet" {
		return doc, nil
	}
	if err := yaml.Unmarshal([]byte(doc), &set); err != nil {
		return "", fmt.Errorf("read rendered daemonset: %w", err)
	}
	mounted := map[string]map[string]string{}
	for _, v := range set.Spec.Template.Spec.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		if data, ok := configs[v.ConfigMap.Name]; ok {
			mounted[v.ConfigMap.Name] = data
		}
	}
	if len(mounted) == 0 {
		return doc, nil
	}
	raw, err := json.Marshal(mounted)
	if err != nil {
		return "", fmt.Errorf("hash configuration: %w", err)
	}
	sum := sha256.Sum256(raw)
	// A chart whose annotations come from empty values writes the key alone.
	for _, path := range [][]string{{"spec", "template", "metadata"}, {"spec", "template", "metadata", "annotations"}} {
		if at, found, err := unstructured.NestedFieldNoCopy(tree, path...); err == nil && found && at == nil {
			unstructured.RemoveNestedField(tree, path...)
		}
	}
	if err := unstructured.SetNestedField(tree, hex.EncodeToString(sum[:8]), "spec", "template", "metadata", "annotations",
		configAnnotation); err != nil {
		return "", fmt.Errorf("stamp daemonset %s: %w", set.Name, err)
	}
	stamped, err := yaml.Marshal(tree)
	if err != nil {
		return "", fmt.Errorf("write daemonset %s: %w", set.Name, err)
	}
	return string(stamped), nil
}
