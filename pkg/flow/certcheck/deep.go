// SPDX-License-Identifier: Apache-2.0

package certcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// hostsAtOnce is how many hosts are asked at the same time: each takes a pod, and 10 MB
	// through the API server.
	hostsAtOnce = 5
	// mostRows bounds what one host may say.
	mostRows = 500
)

// Choose picks the nodes whose hosts are asked: the control planes, or all. It refuses a
// cluster that shows none. It is pure.
func Choose(nodes []corev1.Node, all bool) ([]*corev1.Node, error) {
	var chosen []*corev1.Node
	for _, n := range kube.Pointers(nodes) {
		if (all || kubenode.IsControlPlane(n)) && n.Labels[corev1.LabelOSStable] != "windows" {
			chosen = append(chosen, n)
		}
	}
	if len(chosen) == 0 {
		return nil, plan.Refuse(errors.New("the cluster shows no control-plane node whose host could be asked"),
			"where a provider runs the control planes, the provider renews their certificates; --deep --all-nodes asks the workers")
	}
	slices.SortFunc(chosen, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return chosen, nil
}

// Deep asks hosts for their certificates, each through a pod that is gone afterwards, and
// adds what they say. A host that does not answer is said, and costs no other.
func Deep(ctx context.Context, cluster runner.Cluster, found *Found, nodes []*corev1.Node, report plan.Report) error {
	if err := access.Require(ctx, cluster.Client, access.Carrier(cluster.RunNamespace())); err != nil {
		return err
	}
	dir, err := certificatesDir(ctx, cluster)
	if err != nil {
		return err
	}
	report("asking %s, each through a pod of an image that is there", text.Count(len(nodes), "host"))
	looks, failed := make([]certs.Look, len(nodes)), make([]error, len(nodes))
	var wait sync.WaitGroup
	room := make(chan struct{}, hostsAtOnce)
	for i, node := range nodes {
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			looks[i], failed[i] = Ask(ctx, cluster, node, dir)
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	found.add(nodes, looks, failed)
	return nil
}

// add puts what hosts have said beside what the API told.
func (f *Found) add(nodes []*corev1.Node, looks []certs.Look, failed []error) {
	var controlPlanes []certs.Look
	for i, node := range nodes {
		if failed[i] != nil {
			f.Unseen = append(f.Unseen, certs.Unseen{What: "the host of " + node.Name, Why: why(failed[i]), Asked: true})
			continue
		}
		// The host tells more of these.
		f.Rows = slices.DeleteFunc(f.Rows, func(r certs.Row) bool {
			return r.Node == node.Name && r.Request == "" && (r.ManagedBy == certs.ByKubelet || r.Name == presentedName)
		})
		f.Rows = append(f.Rows, looks[i].Rows...)
		if kubenode.IsControlPlane(node) {
			controlPlanes = append(controlPlanes, looks[i])
		}
		f.served(looks[i])
	}
	f.Rows = append(f.Rows, certs.Compare(controlPlanes)...)
	f.quiet(nodes, failed)
	certs.Sort(f.Rows)
}

// served says of each server of a host that did not answer that it was not seen.
func (f *Found) served(look certs.Look) {
	for _, r := range look.Rows {
		if r.Served != nil && r.Served.Why != "" {
			f.Unseen = append(f.Unseen, certs.Unseen{What: "what serves " + r.Name + " on " + look.Node + " (" + r.Served.At + ")",
				Why: r.Served.Why, Asked: true})
		}
	}
}

// quiet drops what the hosts have told by now from what was not seen, where all were asked.
func (f *Found) quiet(nodes []*corev1.Node, failed []error) {
	if len(nodes) < len(f.Nodes) || slices.ContainsFunc(failed, func(err error) bool { return err != nil }) {
		return
	}
	f.Unseen = slices.DeleteFunc(f.Unseen, func(u certs.Unseen) bool { return !u.Asked && strings.HasPrefix(u.What, servingOfKubelets) })
}

// Ask asks one host.
func Ask(ctx context.Context, cluster runner.Cluster, node *corev1.Node, dir string) (certs.Look, error) {
	var look certs.Look
	if !kubenode.KubeletAnswers(node) {
		return look, errors.New("its kubelet does not answer (the node is NotReady)")
	}
	if err := kubenode.RequireKubeadm(ctx, cluster.Client, node); err != nil {
		return look, err
	}
	input, err := json.Marshal(certs.Layout{Dir: dir, ControlPlane: kubenode.IsControlPlane(node)})
	if err != nil {
		return look, fmt.Errorf("encode the question: %w", err)
	}
	// What each pod of many does is not told.
	raw, err := runner.RunOnce(ctx, cluster, node, runner.Question{Operation: wire.LookCertificates, Input: input}, func(string, ...any) {})
	if err != nil {
		return look, err
	}
	if err := json.Unmarshal(raw, &look); err != nil {
		return look, fmt.Errorf("decode the certificates of host %s: %w", node.Name, err)
	}
	if len(look.Rows) > mostRows {
		return look, fmt.Errorf("host %s reported %d certificates; at most %d are accepted", node.Name, len(look.Rows), mostRows)
	}
	look.Node = node.Name // what a host says of itself counts for itself alone
	for i := range look.Rows {
		look.Rows[i].Node, look.Rows[i].Request = node.Name, ""
	}
	return look, nil
}

// certificatesDir is where the control planes have their certificates, as kubeadm's own
// configuration says; empty means the usual place.
func certificatesDir(ctx context.Context, cluster runner.Cluster) (string, error) {
	cm, err := cluster.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	var config struct {
		CertificatesDir string `json:"certificatesDir"`
	}
	if err := yaml.Unmarshal([]byte(cm.Data["ClusterConfiguration"]), &config); err != nil {
		return "", fmt.Errorf("read configmap kube-system/kubeadm-config: ClusterConfiguration: %w", err)
	}
	return config.CertificatesDir, nil
}
