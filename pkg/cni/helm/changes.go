// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxFields bounds what is said of one object, maxValue of one value.
const maxFields, maxValue = 20, 80

// changes asks the API server what would become of each object, its own defaults and
// those of its webhooks included, and compares that with what is there. A field that
// the new chart only leaves out is not seen so: Helm's merge takes it away.
func changes(ctx context.Context, built kube.ResourceList) ([]release.Change, error) {
	var out []release.Change
	for _, info := range built {
		title := strings.ToLower(info.Mapping.GroupVersionKind.Kind) + " " + info.Name
		live, err := info.Client.Get().NamespaceIfScoped(info.Namespace, info.Namespaced()).Resource(info.Mapping.Resource.Resource).
			Name(info.Name).Do(ctx).Get()
		if apierrors.IsNotFound(err) {
			out = append(out, release.Change{Object: title, Fields: []string{"is created"}})
			continue
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			out = append(out, unforeseen(title, err))
			continue
		}
		raw, err := json.Marshal(info.Object)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", title, err)
		}
		after, err := info.Client.Patch(types.ApplyPatchType).NamespaceIfScoped(info.Namespace, info.Namespaced()).
			Resource(info.Mapping.Resource.Resource).Name(info.Name).Param("fieldManager", "helm").Param("force", "true").
			Param("dryRun", "All").Body(raw).Do(ctx).Get()
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			out = append(out, unforeseen(title, err))
			continue
		}
		fields, err := compare(live, after, info.Mapping.GroupVersionKind.Kind == "Secret")
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", title, err)
		}
		if len(fields) > 0 {
			out = append(out, release.Change{Object: title, Fields: fields})
		}
	}
	return out, nil
}

// unforeseen is an object of which the API server does not say what would become:
// server-side apply is stricter than the merge that Helm does, so that it is no reason
// to refuse.
func unforeseen(title string, err error) release.Change {
	if strings.HasPrefix(title, "secret ") {
		err = errors.New("the API server refused to say") // its words may hold what is in it
	}
	return release.Change{Object: title, Fields: []string{"cannot be foreseen: " + text.Short(err.Error(), 4*maxValue)}}
}

// compare lists the fields that differ, "path: before → after"; the values of a Secret
// are not in it.
func compare(before, after runtime.Object, secret bool) ([]string, error) {
	was, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return nil, err
	}
	is, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return nil, err
	}
	return differ(was, is, secret), nil
}

// differ compares two objects, but for what the API server keeps of itself. It is pure.
func differ(was, is map[string]any, secret bool) []string {
	old, now := map[string]string{}, map[string]string{}
	leaves(was, "", old)
	leaves(is, "", now)
	both := maps.Clone(old)
	maps.Copy(both, now)
	var out []string
	for _, path := range slices.Sorted(maps.Keys(both)) {
		if old[path] == now[path] || bookkeeping(path) {
			continue
		}
		line := path + ": " + shown(old, path, secret) + " → " + shown(now, path, secret)
		if secret {
			line = path + ": changed (not shown)"
		}
		out = append(out, text.Line(line))
	}
	if len(out) > maxFields {
		out = append(out[:maxFields], "and "+text.Count(len(out)-maxFields, "more field"))
	}
	return out
}

func shown(of map[string]string, path string, secret bool) string {
	value, there := of[path]
	if !there {
		return "(none)"
	}
	if secret {
		return "(not shown)"
	}
	return text.Quote(text.Short(value, maxValue))
}

// bookkeeping is what differs although no change was asked for.
func bookkeeping(path string) bool {
	return slices.ContainsFunc([]string{
		"status", "metadata.managedFields", "metadata.resourceVersion", "metadata.generation", "metadata.uid", "metadata.creationTimestamp",
		"metadata.annotations.deprecated.daemonset.template.generation", "apiVersion", "kind",
	}, func(begin string) bool {
		return path == begin || strings.HasPrefix(path, begin+".") || strings.HasPrefix(path, begin+"[")
	})
}

// leaves flattens an object; items of a list that have a name go by it.
func leaves(tree any, path string, into map[string]string) {
	switch t := tree.(type) {
	case map[string]any:
		for key, value := range t {
			leaves(value, strings.TrimPrefix(path+"."+key, "."), into)
		}
	case []any:
		for i, item := range t {
			key := fmt.Sprint(i)
			if named, ok := item.(map[string]any); ok {
				if name, ok := named["name"].(string); ok {
					key = name
				}
			}
			leaves(item, path+"["+key+"]", into)
		}
	default:
		into[path] = fmt.Sprint(t)
	}
}
