// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// clusterTemplate describes the cluster to kind. There is no network plugin:
// installing one is what is tested. The out-of-memory settings are for machines
// whose root may not lower such a score, and cgroups v1 are still met there too.
// There is no election where there is one of each: they would end, and be restarted
// ever more slowly, whenever a test stops the API server for longer than a lease.
const clusterTemplate = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: {{.Name}}
networking:
  disableDefaultCNI: true
  podSubnet: 10.244.0.0/16
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
  oomScoreAdj: 0
- |
  kind: KubeProxyConfiguration
  oomScoreAdj: 0
- |
  kind: ClusterConfiguration
  controllerManager:
    extraArgs:
    - {name: enable-hostpath-provisioner, value: "true"}
    - {name: leader-elect, value: "false"}
  scheduler:
    extraArgs:
    - {name: leader-elect, value: "false"}
nodes:
- role: control-plane
- role: worker
- role: worker
`

// apiPatience is how long the API of an existing cluster may take to answer.
const apiPatience = 20 * time.Second

// ensureCluster makes the cluster, unless it is there and works.
func (b *Bed) ensureCluster(ctx context.Context, node string) error {
	fault, exists, err := b.clusterFault(ctx)
	if err != nil {
		return err
	}
	if fault == "" {
		b.Progress.Say("cluster %s is up", b.Name)
		return nil
	}
	if exists {
		b.Progress.Say("cluster %s is made again: %s", b.Name, fault)
		if err := b.removeAll(ctx); err != nil {
			return err
		}
	}
	return b.Progress.Step(ctx, "creating cluster "+b.Name+" (control plane, two workers, no CNI)",
		func(ctx context.Context) error { return b.createCluster(ctx, node) })
}

// clusterFault says why the cluster has to be made, and whether there is
// something of it already; no fault is the empty string.
func (b *Bed) clusterFault(ctx context.Context) (fault string, exists bool, err error) {
	for _, name := range b.Nodes() {
		c, err := inspect(ctx, name)
		switch {
		case err != nil:
			return "", false, err
		case !c.Exists && fault == "":
			fault = "container " + name + " is missing"
		case c.Exists && !c.Running:
			fault = "container " + name + " is stopped"
		}
		exists = exists || c.Exists
	}
	if fault != "" {
		return fault, exists, nil
	}
	version, err := onHost(ctx, b.Nodes()[0], "cat", "/kind/version")
	if err != nil {
		return "it does not answer: " + err.Error(), true, nil
	}
	if version = strings.TrimSpace(version); version != b.Version {
		return fmt.Sprintf("it has Kubernetes %s, and %s was asked for", version, b.Version), true, nil
	}
	if _, err := os.Stat(b.createdPath()); err != nil {
		return "its creation was interrupted", true, nil
	}
	if err := b.checkAPI(ctx); err != nil {
		return "its API does not answer", true, nil
	}
	return b.addressFault(ctx), true, nil
}

// checkAPI asks the API server, through this bed's kubeconfig, whether it is
// ready. A kubeconfig that was lost is written again.
func (b *Bed) checkAPI(ctx context.Context) error {
	if _, err := os.Stat(b.Kubeconfig()); err != nil {
		export := b.kind("export", "kubeconfig", "--name", b.Name, "--kubeconfig", b.Kubeconfig())
		if err := export.Run(ctx); err != nil {
			return fmt.Errorf("write kubeconfig: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	return sys.Poll(ctx, time.Second, func(ctx context.Context) error {
		_, err := b.kubectl("get", "--raw=/readyz", "--request-timeout=5s").Output(ctx)
		return err
	})
}

// addressFault finds nodes whose container has another address than the
// cluster knows: a restarted Docker engine deals them out again. Nodes that have
// left the cluster are no fault: that is what tests on this bed do.
func (b *Bed) addressFault(ctx context.Context) string {
	const query = `{range .items[*]}{.metadata.name}{" "}{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}`
	out, err := b.kubectl("get", "nodes", "--output=jsonpath="+query).Output(ctx)
	if err != nil {
		return "its nodes cannot be listed"
	}
	known := map[string]string{}
	for _, line := range lines(out) {
		name, address, _ := strings.Cut(line, " ")
		known[name] = address
	}
	for _, name := range b.Nodes() {
		address, joined := known[name]
		if !joined {
			b.Progress.Say("node %s is not in the cluster any more; a fresh one: down, then up", name)
			continue
		}
		out, err := sys.Command("docker", "inspect", "--format",
			"{{.NetworkSettings.Networks."+network+".IPAddress}}", name).Output(ctx)
		if err != nil || !strings.Contains(address, out) {
			return "the address of " + name + " has changed"
		}
	}
	return ""
}

func (b *Bed) createCluster(ctx context.Context, node string) error {
	if err := os.MkdirAll(b.StateDir(), 0o755); err != nil {
		return fmt.Errorf("create state directory: %w", err)
	}
	path := filepath.Join(b.StateDir(), "cluster.yaml")
	if err := writeTemplate(path, b.Config); err != nil {
		return err
	}
	if err := os.WriteFile(b.versionPath(), []byte(b.Version+"\n"), 0o644); err != nil {
		return fmt.Errorf("record version of test bed: %w", err)
	}
	create := b.kind("create", "cluster", "--name", b.Name, "--config", path,
		"--image", node, "--kubeconfig", b.Kubeconfig())
	if err := create.Run(ctx); err != nil {
		return err
	}
	if err := b.checkAPI(ctx); err != nil {
		return fmt.Errorf("wait for the api of cluster %s: %w", b.Name, err)
	}
	if err := os.WriteFile(b.createdPath(), nil, 0o644); err != nil {
		return fmt.Errorf("record creation of test bed: %w", err)
	}
	return nil
}

func writeTemplate(path string, c Config) error {
	parsed, err := template.New("cluster").Parse(clusterTemplate)
	if err != nil {
		return fmt.Errorf("parse cluster description: %w", err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, c); err != nil {
		return fmt.Errorf("write cluster description: %w", err)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write cluster description: %w", err)
	}
	return nil
}

// kind calls the kind program of this bed; the provider is named because kind
// would otherwise take the first of several that it finds.
func (b *Bed) kind(args ...string) sys.Cmd {
	return sys.Cmd{Name: b.Program("kind"), Args: args, Env: []string{"KIND_EXPERIMENTAL_PROVIDER=docker"}}
}

func (b *Bed) kubectl(args ...string) sys.Cmd {
	return sys.Command(b.Program("kubectl"), append([]string{"--kubeconfig=" + b.Kubeconfig()}, args...)...)
}
