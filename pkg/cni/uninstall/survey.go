// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Seen is what there is of a network in a cluster.
type Seen struct {
	Facts   facts.Facts
	Network catalogue.Network
	// Release is its Helm release, Holds what that holds; zero if there is none.
	Release release.Release
	Holds   release.Contents
	// Made are objects that its agents wrote for themselves.
	Made []Made
	// Nodes are all Nodes, Pods those that run with an address of the network and are
	// not its own, by controller: "namespace/ReplicaSet/name".
	Nodes []*corev1.Node
	Pods  map[string]int
	// Inside is what the release's namespaces hold beside its own objects, by namespace.
	Inside map[string][]string
}

// Made is an object that agents wrote, and its UID.
type Made struct {
	release.Object
	Version string `json:"version"`
	UID     string `json:"-"`
}

// page is how many objects are listed at a time.
const page = 500

// Survey reads what there is of a network. f is what the cluster says, with the releases
// of the networks that can be installed.
func Survey(ctx context.Context, client kubernetes.Interface, remover release.Remover, f facts.Facts, n catalogue.Network) (Seen, error) {
	s := Seen{Facts: f, Network: n}
	namespace, name := n.Home(f)
	s.Release = f.Release(namespace, name)
	if s.Release.Revision > 0 && s.Release.Status != release.Uninstalled {
		holds, err := remover.Contents(ctx, s.Release)
		if err != nil {
			return s, err
		}
		s.Holds = holds
	}
	var err error
	if s.Inside, err = inside(ctx, client, s.Holds.Objects); err != nil {
		return s, err
	}
	nodes, err := kube.ListNodes(ctx, client, metav1.ListOptions{})
	if err != nil {
		return s, err
	}
	s.Nodes = kube.Pointers(nodes)
	if s.Pods, err = users(ctx, client, n, cmp.Or(s.Release.Namespace, n.Namespace)); err != nil {
		return s, err
	}
	for _, kind := range n.Leaves.Made {
		made, err := list(ctx, client, kind)
		if err != nil {
			return s, err
		}
		s.Made = append(s.Made, made...)
	}
	return s, nil
}

// users counts the pods that would be left without a network, by controller. CoreDNS is
// none of them: it waits for the next network by itself.
func users(ctx context.Context, client kubernetes.Interface, n catalogue.Network, namespace string) (map[string]int, error) {
	out := map[string]int{}
	query := metav1.ListOptions{Limit: page}
	err := kube.Pages(query, func(query metav1.ListOptions) (string, error) {
		list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", kube.UnreadList(err, "pods")
		}
		if query.Continue == "" {
			clear(out)
		}
		for i := range list.Items {
			if p := &list.Items[i]; uses(p, n, namespace) {
				out[ownerOf(p)]++
			}
		}
		return list.Continue, nil
	})
	return out, err
}

// uses says whether a pod has an address of the network, and is not its own.
func uses(p *corev1.Pod, n catalogue.Network, namespace string) bool {
	ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	own := p.Namespace == n.AgentsIn(namespace) || p.Namespace == namespace
	if own && namespace == metav1.NamespaceSystem {
		// There others run, too: its own are called like it.
		own = strings.HasPrefix(p.Name, n.Name+"-") || strings.HasPrefix(p.Name, n.DaemonSet)
	}
	dns := p.Namespace == metav1.NamespaceSystem && p.Labels["k8s-app"] == "kube-dns"
	return !p.Spec.HostNetwork && !ended && p.Status.PodIP != "" && p.DeletionTimestamp == nil && !own && !dns
}

func ownerOf(p *corev1.Pod) string {
	if owner := metav1.GetControllerOf(p); owner != nil {
		return p.Namespace + "/" + owner.Kind + "/" + owner.Name
	}
	return p.Namespace + "/Pod/" + p.Name
}

// list lists the objects of a kind as the server sends them; none where the API does not
// know the kind. A fake client has no wire.
func list(ctx context.Context, client kubernetes.Interface, k catalogue.Kind) (out []Made, err error) {
	wire, real := client.CoreV1().RESTClient().(*rest.RESTClient)
	if !real || wire == nil {
		return nil, nil
	}
	next := ""
	for {
		raw, err := wire.Get().AbsPath("/apis/"+k.Group+"/"+k.Version+"/"+k.Resource).Param("limit", fmt.Sprint(page)).Param("continue", next).
			Do(ctx).Raw()
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, kube.UnreadList(err, k.Resource+"."+k.Group)
		}
		var got metav1.PartialObjectMetadataList
		if err := json.Unmarshal(raw, &got); err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", k.Resource, err)
		}
		for _, item := range got.Items {
			out = append(out, Made{Version: k.Version, UID: string(item.UID), Object: release.Object{Group: k.Group, Resource: k.Resource,
				Namespace: item.Namespace, Name: item.Name}})
		}
		if next = got.Continue; next == "" {
			slices.SortFunc(out, func(a, b Made) int {
				return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
			})
			return out, nil
		}
	}
}
