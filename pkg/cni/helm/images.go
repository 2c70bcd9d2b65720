// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	helmrelease "helm.sh/helm/v3/pkg/release"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// imagesOf lists the images of all pods of a rendered chart, hooks included.
func imagesOf(rendered *helmrelease.Release) []release.Image {
	found := map[string]*release.Image{}
	note := func(document string, hook bool) {
		var tree map[string]any
		if yaml.Unmarshal([]byte(document), &tree) != nil || tree == nil {
			return
		}
		of := titleOf(tree)
		containers(tree, func(c map[string]any) {
			name, _ := c["image"].(string)
			if name == "" {
				return
			}
			if found[name] == nil {
				found[name] = &release.Image{Image: name, Hook: true}
			}
			found[name].Hook = found[name].Hook && hook
			if !slices.Contains(found[name].Of, of) {
				found[name].Of = append(found[name].Of, of)
			}
		})
	}
	for _, doc := range separator().Split(rendered.Manifest, -1) {
		note(doc, false)
	}
	for _, h := range rendered.Hooks {
		note(h.Manifest, true)
	}
	out := make([]release.Image, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[name].Of)
		out = append(out, *found[name])
	}
	return out
}

// titleOf names an object: "daemonset cilium".
func titleOf(tree map[string]any) string {
	metadata, _ := tree["metadata"].(map[string]any)
	return strings.ToLower(fmt.Sprint(tree["kind"])) + " " + fmt.Sprint(metadata["name"])
}

// containers visits every container of every pod template within an object, however
// deep: that of a CronJob is within that of a Job.
func containers(tree any, visit func(map[string]any)) {
	switch t := tree.(type) {
	case map[string]any:
		for key, value := range t {
			list, isList := value.([]any)
			if isList && slices.Contains([]string{"containers", "initContainers", "ephemeralContainers"}, key) {
				for _, item := range list {
					if c, ok := item.(map[string]any); ok {
						visit(c)
					}
				}
				continue
			}
			containers(value, visit)
		}
	case []any:
		for _, item := range t {
			containers(item, visit)
		}
	}
}

// sendImages sends the images of a rendered chart through a mirror. A document in
// which none changes stays as it is, byte for byte.
func sendImages(rendered []byte, through func(string) string) ([]byte, error) {
	if through == nil {
		return rendered, nil
	}
	var out bytes.Buffer
	for i, doc := range separator().Split(string(rendered), -1) {
		if i > 0 {
			out.WriteString("---\n")
		}
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(doc), &tree); err != nil {
			return nil, fmt.Errorf("read rendered chart: %w", err)
		}
		changed := false
		containers(tree, func(c map[string]any) {
			name, _ := c["image"].(string)
			if to := through(name); name != "" && to != name {
				c["image"], changed = to, true
			}
		})
		if !changed {
			out.WriteString(doc)
			continue
		}
		raw, err := yaml.Marshal(tree)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", titleOf(tree), err)
		}
		out.Write(raw)
	}
	return out.Bytes(), nil
}
