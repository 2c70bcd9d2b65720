// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
)

const runnerLabel = "lifecycle.kubectl.io/runner"

// objects are all objects of the cluster, "resource namespace/name" → version.
// What kubelets and controllers report about the state of things is left out,
// because it changes without anybody's doing: leases, events, endpoints, and the
// status of whatever counts generations.
type objects map[string]string

func (b *bed) objects(t *testing.T) objects {
	t.Helper()
	lists, err := b.client.Discovery().ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	lists = discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "get"}}, lists)
	client, err := metadata.NewForConfig(b.config)
	if err != nil {
		t.Fatal(err)
	}
	all := objects{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if restless(r.Name) {
				continue
			}
			group.Go(func() error {
				found, err := client.Resource(gv.WithResource(r.Name)).List(ctx, metav1.ListOptions{})
				if err != nil {
					return fmt.Errorf("list %s: %w", r.Name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, o := range found.Items {
					all[r.Name+" "+o.Namespace+"/"+o.Name] = version(o.ObjectMeta)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, b.nodes(t))
	return all
}

// restless resources change without anybody's doing, or are looked at apart.
func restless(resource string) bool {
	return slices.Contains([]string{"leases", "events", "endpoints", "endpointslices", "nodes", "componentstatuses"}, resource)
}

// version tells whether an object is still the same: its resourceVersion, or,
// where there is a generation that leaves out the status, everything but that.
func version(o metav1.ObjectMeta) string {
	if o.Generation == 0 {
		return string(o.UID) + " " + o.ResourceVersion
	}
	o.ResourceVersion, o.ManagedFields = "", nil
	raw, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// nodes are the Nodes without their status.
func (b *bed) nodes(t *testing.T) objects {
	t.Helper()
	list, err := b.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := objects{}
	for _, n := range list.Items {
		n.Status, n.ManagedFields, n.ResourceVersion = corev1.NodeStatus{}, nil, ""
		raw, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		all["nodes /"+n.Name] = string(raw)
	}
	return all
}

// changed are the sentences of what differs.
func (before objects) changed(after objects) []string {
	var out []string
	for key, version := range before {
		switch now, there := after[key]; {
		case !there:
			out = append(out, "gone: "+key)
		case now != version:
			out = append(out, "changed: "+key)
		}
	}
	for key := range after {
		if _, there := before[key]; !there {
			out = append(out, "new: "+key)
		}
	}
	slices.Sort(out)
	return out
}

// settled looks at a host until two looks agree and no pod's directory is left
// there without its pod: a kubelet clears up after a pod in its own time.
func (b *bed) settled(t *testing.T, host string) dump {
	t.Helper()
	last := b.look(t, host)
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); {
		orphans := b.orphans(t, host, last)
		now := b.look(t, host)
		if rest, _ := judge(compare(last, now), restlessHost()); rest.empty() && len(orphans) == 0 {
			return now
		}
		last = now
	}
	t.Errorf("host %s does not come to rest", host)
	return last
}

// orphans are the pods' directories in a dump that belong to no pod of the node.
func (b *bed) orphans(t *testing.T, host string, d dump) []string {
	t.Helper()
	list, err := b.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + host})
	if err != nil {
		t.Fatal(err)
	}
	aUID := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	var out []string
	for _, line := range d {
		rest, isPod := strings.CutPrefix(line, "files /var/lib/kubelet/pods/")
		uid, _, _ := strings.Cut(rest, " ")
		if !isPod || !aUID.MatchString(uid) {
			continue // or something that a test has put there
		}
		if !slices.ContainsFunc(list.Items, func(p corev1.Pod) bool { return string(p.UID) == uid }) {
			out = append(out, uid)
		}
	}
	return out
}

// unchanged runs something and fails the test unless every object of the
// cluster is then as it was, and the host, if one is named. What somebody else
// is about to finish (the kubelet's own cleaning up after a pod) gets time.
func (b *bed) unchanged(t *testing.T, host string, do func()) {
	t.Helper()
	var before, after dump
	if host != "" {
		before = b.settled(t, host)
	}
	was := b.objects(t)
	do()
	var objectsNow []string
	var hostNow difference
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		objectsNow = was.changed(b.objects(t))
		if host != "" {
			after = b.look(t, host)
			hostNow, _ = judge(compare(before, after), restlessHost())
		}
		if len(objectsNow) == 0 && hostNow.empty() {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("something was changed\nin the cluster:\n  %s\non host %s:\n%s", strings.Join(objectsNow, "\n  "), host, hostNow)
			return
		}
		<-tick.C
	}
}

// names are the names of what a command must not leave behind or take away, in
// the whole cluster. Pods of a controller go by the controller's name, because
// those that move get another one; a node's own objects can be left out.
func (b *bed) names(t *testing.T, except string) objects {
	t.Helper()
	kinds := "all,secrets,configmaps,roles,rolebindings,serviceaccounts,clusterroles,clusterrolebindings,nodes," +
		"validatingwebhookconfigurations,mutatingwebhookconfigurations,priorityclasses,poddisruptionbudgets,csinodes"
	var list struct {
		Items []struct {
			Kind     string
			Metadata struct {
				Namespace, Name string
				OwnerReferences []struct{ Kind, Name string }
			}
			Spec json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(b.kubectl(t, "", "get", kinds, "-A", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	all := objects{}
	for _, o := range list.Items {
		name := o.Metadata.Name
		var spec struct{ NodeName string }
		if o.Kind == "Pod" {
			_ = json.Unmarshal(o.Spec, &spec)
			for _, owner := range o.Metadata.OwnerReferences {
				name = "of " + owner.Kind + " " + owner.Name
			}
		}
		bare := o.Kind == "Pod" && name == o.Metadata.Name && spec.NodeName == except
		if except != "" && (bare || ((o.Kind == "Node" || o.Kind == "CSINode") && name == except)) {
			continue
		}
		all[o.Kind+" "+o.Metadata.Namespace+"/"+name] = ""
	}
	return all
}
