// SPDX-License-Identifier: Apache-2.0

package upgradeplan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

// socketNote is where kubeadm has kept the socket of the runtime.
const socketNote = "kubeadm.alpha.kubernetes.io/cri-socket"

// Seen is what was read of a cluster.
type Seen struct {
	upgrade.Facts
	// Objects are its Nodes, in the order of Facts.Nodes.
	Objects []corev1.Node

	networks []facts.Network
	releases []release.Release
}

// reading is one reading under way: its parts are read side by side.
type reading struct {
	cluster runner.Cluster
	mu      sync.Mutex
	seen    Seen
}

// Read reads a cluster. Nodes and the version that is served have to be read; of the other
// parts it is noted if they could not be. It refuses a cluster that kubeadm has not made.
func Read(ctx context.Context, cluster runner.Cluster, releases release.Store, report plan.Report) (Seen, error) {
	r := &reading{cluster: cluster, seen: Seen{Facts: upgrade.Facts{Now: time.Now(), Unread: map[string]string{}}}}
	list, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	if err != nil {
		return r.seen, err
	}
	slices.SortFunc(list, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	r.seen.Objects = list
	for i := range list {
		r.seen.Nodes = append(r.seen.Nodes, nodeOf(&list[i]))
	}
	if err := r.readServed(list); err != nil {
		return r.seen, err
	}
	report("asking the API server about %s", text.Count(len(list), "node"))
	var wait sync.WaitGroup
	for part, read := range map[string]func(context.Context) error{
		"the control plane's pods": r.readComponents, "kubeadm's configuration": r.readConfig, "kube-proxy's configuration": r.readProxy,
		"the webhooks": r.readWebhooks, "the APIServices": r.readAPIServices, "the certificates": r.readCertificates,
		"the requests for deprecated APIs": r.readRequested,
		"the pod network": func(ctx context.Context) error {
			in, err := cni.Observe(ctx, cluster.Client, releases)
			r.note(func(s *Seen) { s.networks, s.releases = in.Networks, in.Releases })
			return err
		},
	} {
		wait.Go(func() {
			if err := read(ctx); err != nil {
				r.note(func(s *Seen) { s.Unread[part] = err.Error() })
			}
		})
	}
	wait.Wait()
	return r.seen, context.Cause(ctx)
}

// note writes down what a part has told.
func (r *reading) note(write func(*Seen)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	write(&r.seen)
}

// nodeOf is a node as it is judged.
func nodeOf(n *corev1.Node) upgrade.Node {
	v, _ := upgrade.Parse(n.Status.NodeInfo.KubeletVersion) // one that says none is not judged by it
	node := upgrade.Node{Name: n.Name, ControlPlane: kube.IsControlPlane(n), Ready: kube.NodeReady(n), Cordoned: n.Spec.Unschedulable,
		Kubelet:   v,
		CRISocket: text.Short(n.Annotations[socketNote], 300), Why: "its kubelet has never reported"}
	node.Tainted = slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool {
		return t.Key == "node-role.kubernetes.io/control-plane" && t.Effect != corev1.TaintEffectPreferNoSchedule
	})
	if c := kube.ReadyCondition(n); c != nil {
		node.Why = text.Brief(c.Reason + ": " + c.Message)
	}
	return node
}

// readServed reads what is served, and refuses what is not kubeadm's.
func (r *reading) readServed(nodes []corev1.Node) error {
	served, err := r.cluster.Client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	if other := kube.DistributionOf(served.GitVersion, kube.Pointers(nodes)...); other != "" {
		return plan.Refuse(fmt.Errorf("this cluster is %s: kubeadm has not made it, and does not upgrade it", other),
			"upgrade it by its own means")
	}
	if r.seen.Served, err = upgrade.Parse(served.GitVersion); err != nil {
		return fmt.Errorf("read the server's version: %w", err)
	}
	return nil
}

// readComponents reads the static pods of the control planes.
func (r *reading) readComponents(ctx context.Context) error {
	pods, err := r.cluster.Client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "tier=control-plane"})
	if err != nil {
		return kube.UnreadList(err, "pods")
	}
	var all []upgrade.Component
	for _, pod := range kube.StaticPods(pods.Items, r.seen.Objects) {
		all = append(all, upgrade.Component{Node: pod.Spec.NodeName, Name: pod.Labels["component"],
			Image: text.Short(pod.Spec.Containers[0].Image, 300), Ready: kube.PodReady(&pod)})
	}
	if len(all) == 0 {
		return errors.New("no static pod of a control plane is found in kube-system")
	}
	r.note(func(s *Seen) { s.Components = all })
	return nil
}

// readConfig reads what kubeadm keeps.
func (r *reading) readConfig(ctx context.Context) error {
	config, err := ConfigOf(ctx, r.cluster.Client)
	r.note(func(s *Seen) { s.Config = config })
	return err
}

// ConfigOf reads what kubeadm keeps of a cluster.
func ConfigOf(ctx context.Context, client kubernetes.Interface) (upgrade.Config, error) {
	cm, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err != nil {
		return upgrade.Config{}, fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	var raw struct {
		APIVersion        string `json:"apiVersion"`
		KubernetesVersion string `json:"kubernetesVersion"`
		CertificatesDir   string `json:"certificatesDir"`
		Etcd              struct {
			External *struct{} `json:"external"`
			Local    struct {
				ImageTag string `json:"imageTag"`
			} `json:"local"`
		} `json:"etcd"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data["ClusterConfiguration"]), &raw); err != nil {
		return upgrade.Config{}, fmt.Errorf("read configmap kube-system/kubeadm-config: ClusterConfiguration: %w", err)
	}
	config := upgrade.Config{APIVersion: raw.APIVersion, CertificatesDir: raw.CertificatesDir, ExternalEtcd: raw.Etcd.External != nil,
		EtcdTag: raw.Etcd.Local.ImageTag}
	if config.Version, err = upgrade.Parse(raw.KubernetesVersion); err != nil {
		return config, fmt.Errorf("read configmap kube-system/kubeadm-config: kubernetesVersion: %w", err)
	}
	return config, nil
}

// readProxy reads in which mode kube-proxy is. A cluster without one has none.
func (r *reading) readProxy(ctx context.Context) error {
	cm, err := r.cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kube-proxy", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get configmap kube-system/kube-proxy: %w", err)
	}
	var config struct {
		Mode string `json:"mode"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data["config.conf"]), &config); err != nil {
		return fmt.Errorf("read configmap kube-system/kube-proxy: %w", err)
	}
	r.note(func(s *Seen) { s.ProxyMode = text.Short(config.Mode, 40) })
	return nil
}

// readCertificates reads when certificates end, as certs check does.
func (r *reading) readCertificates(ctx context.Context) error {
	found := certcheck.Survey(ctx, r.cluster, func(string, ...any) {})
	var all []upgrade.Certificate
	for _, row := range found.Rows {
		if row.Expires != nil && row.Request == "" {
			all = append(all, upgrade.Certificate{Node: row.Node, Name: text.Short(row.Name, 200), Ends: *row.Expires})
		}
	}
	r.note(func(s *Seen) { s.Certificates = all })
	return found.Unreachable
}

// For are the facts for a target: what a network's project says depends on it.
func (s Seen) For(target upgrade.Version) upgrade.Facts {
	f := s.Facts
	f.Networks = nil
	for _, n := range s.networks {
		i := slices.IndexFunc(s.releases, func(r release.Release) bool { return r.Name == n.Release && r.Namespace == n.ReleaseNamespace })
		j := slices.IndexFunc(catalogue.Networks(), func(known catalogue.Network) bool { return known.Name == n.CNI })
		if i < 0 || j < 0 {
			continue // without its chart's version nothing is known
		}
		network := upgrade.Network{Name: n.CNI}
		for _, found := range finding.Untested(catalogue.Networks()[j], s.releases[i].Version, target.String()) {
			network.Untested = strings.ReplaceAll(found.What, "this cluster has", "the target is")
		}
		f.Networks = append(f.Networks, network)
	}
	return f
}
