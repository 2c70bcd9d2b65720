// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The parts of a cluster that are looked at, as they are shown.
const (
	partNodes   = "nodes"
	partPlane   = "control plane"
	partNetwork = "network"
	partCerts   = "certificates"
	partTokens  = "bootstrap tokens"
	partRuns    = "runs"
)

func parts() []string {
	return []string{partNodes, partPlane, partNetwork, partCerts, partTokens, partRuns}
}

// Seen is what was read of a cluster.
type Seen struct {
	// At is when it was read.
	At    time.Time
	Nodes []corev1.Node
	// Server is the version of the API server that answered.
	Server string
	// System are the pods of kube-system, Unready the checks of the API server that fail.
	System  []corev1.Pod
	Unready []string
	// Leases are those of kube-system: who leads, and which API servers are alive.
	Leases []coordinationv1.Lease
	// Network is all that the network's checks look at.
	Network finding.Input
	// Certificates are judged.
	Certificates certs.Result
	Tokens       []bootstrap.Listed
	Records      []runner.Record
	// RunPods are the pods through which hosts are worked on.
	RunPods []corev1.Pod
	// Held says for what the lock on all control planes is held; empty if it is free.
	Held string
	// Switch is a switch of networks that has not ended.
	Switch *netswitch.State
	// Unread are the parts that could not be read, and why.
	Unread map[string]string
}

// limits are how long before its end a certificate is told: as certs check does.
func limits() certs.Limits {
	return certs.Limits{Warn: 30 * 24 * time.Hour, Critical: 7 * 24 * time.Hour}
}

// Read reads a cluster. Nodes that cannot be read are an error: there is nothing to say
// then; of the other parts it is noted.
func Read(ctx context.Context, cluster runner.Cluster, releases release.Store, report plan.Report) (Seen, error) {
	s := Seen{At: time.Now(), Unread: map[string]string{}}
	nodes, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	if err != nil {
		return s, err
	}
	s.Nodes = nodes
	report("asking the API server about %s", text.Count(len(nodes), "node"))
	var lock sync.Mutex
	var group errgroup.Group
	for part, read := range map[string]func() error{
		partPlane: func() error { return s.readPlane(ctx, cluster) },
		partNetwork: func() (err error) {
			s.Network, err = cni.Observe(ctx, cluster.Client, releases)
			return err
		},
		partCerts: func() error {
			found := certcheck.Survey(ctx, cluster, func(string, ...any) {})
			s.Certificates = found.Result
			certs.Judge(s.Certificates.Rows, s.At, limits())
			return found.Unreachable
		},
		partTokens: func() (err error) {
			s.Tokens, err = bootstrap.List(ctx, cluster.Client)
			return err
		},
		partRuns: func() error { return s.readRuns(ctx, cluster) },
	} {
		group.Go(func() error {
			if err := read(); err != nil {
				lock.Lock()
				defer lock.Unlock()
				s.Unread[part] = err.Error()
			}
			return ctx.Err()
		})
	}
	return s, group.Wait()
}

// readPlane reads what the API tells of the control plane.
func (s *Seen) readPlane(ctx context.Context, cluster runner.Cluster) error {
	version, err := cluster.Client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	s.Server = version.GitVersion
	pods, err := cluster.Client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "tier=control-plane"})
	if err != nil {
		return fmt.Errorf("list the control plane's pods: %w", err)
	}
	s.System = kube.StaticPods(pods.Items, s.Nodes)
	if leases, err := cluster.Client.CoordinationV1().Leases(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{}); err == nil {
		s.Leases = leases.Items // who may not read them is not told who leads
	}
	s.Unready = unready(ctx, cluster)
	return nil
}

// unready are the checks of the API server that fail. It lists them where one does.
func unready(ctx context.Context, cluster runner.Cluster) (failed []string) {
	client := cluster.Client.Discovery().RESTClient()
	if client == nil {
		return nil
	}
	result := client.Get().AbsPath("/readyz").Param("verbose", "").Do(ctx)
	raw, err := result.Raw()
	if err == nil || apierrors.IsForbidden(err) {
		return nil
	}
	const most = 20
	for line := range strings.Lines(string(raw)) {
		if name, is := strings.CutPrefix(line, "[-]"); is && len(failed) < most {
			failed = append(failed, strings.TrimSpace(name))
		}
	}
	return failed
}

// readRuns reads what runs have left, or hold.
func (s *Seen) readRuns(ctx context.Context, cluster runner.Cluster) (err error) {
	if s.Records, err = runner.List(ctx, cluster); err != nil {
		return err
	}
	pods, err := cluster.Client.CoreV1().Pods(cluster.RunNamespace()).List(ctx, metav1.ListOptions{LabelSelector: runner.Label})
	if err != nil {
		return fmt.Errorf("list the pods of runs: %w", err)
	}
	s.RunPods = pods.Items
	if s.Held, err = cluster.ControlPlanesHeld(ctx); err != nil {
		return err
	}
	state, under, err := netswitch.Store{Client: cluster.Client}.Load(ctx)
	if under {
		s.Switch = &state
	}
	return err
}
