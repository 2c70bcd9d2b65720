// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// bootLimit is how long a host may take until its containerd answers.
const bootLimit = 60 * time.Second

// AddBlank makes another blank host, of the image that the cluster has.
func (b *Bed) AddBlank(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	node, err := inspect(ctx, b.Nodes()[0])
	if err != nil {
		return err
	}
	if !node.Exists {
		return fmt.Errorf("make blank host %s: test bed %s is not up: run 'go run . up' first", name, b.Name)
	}
	return b.ensureBlank(ctx, name, node.Image)
}

// RemoveBlank removes a blank host of this bed, and nothing that is not one.
func (b *Bed) RemoveBlank(ctx context.Context, name string) error {
	label, err := sys.Command("docker", "ps", "--all", "--filter", "name=^/"+name+"$",
		"--format", `{{.Label "`+blankLabel+`"}}`).Output(ctx)
	if err != nil {
		return fmt.Errorf("look for container %s: %w", name, err)
	}
	there, err := inspect(ctx, name)
	if err != nil {
		return err
	}
	if !there.Exists {
		b.Progress.Say("there is no host %s", name)
		return nil
	}
	if strings.TrimSpace(label) != b.Name {
		return fmt.Errorf("remove blank host %s: it is not a blank host of test bed %s: 'go run . status' lists them", name, b.Name)
	}
	if err := removeContainers(ctx, []string{name}); err != nil {
		return err
	}
	b.Progress.Say("blank host %s is gone", name)
	return nil
}

// ensureBlank has a blank host run. One that a test has joined since is
// left as it is, and that is said.
func (b *Bed) ensureBlank(ctx context.Context, name, image string) error {
	there, err := inspect(ctx, name)
	if err != nil {
		return err
	}
	if there.Running && containerdAnswers(ctx, name) == nil {
		if _, err := onHost(ctx, name, "test", "-e", kubeletCredentials); err == nil {
			b.Progress.Say("blank host %s is up, but has joined a cluster; a fresh one: go run . blank --rm %s, then up", name, name)
		} else {
			b.Progress.Say("blank host %s is up", name)
		}
		return nil
	}
	if there.Exists {
		b.Progress.Say("blank host %s is made again: it does not work any more", name)
		if err := removeContainers(ctx, []string{name}); err != nil {
			return err
		}
	}
	return b.Progress.Step(ctx, "starting blank host "+name, func(ctx context.Context) error {
		return b.startBlank(ctx, name, image)
	})
}

// kubeletCredentials exist on a host as soon as it has joined.
const kubeletCredentials = "/etc/kubernetes/kubelet.conf"

// prepareBlank makes the host what kind makes of its nodes: a containerd that
// does not lower out-of-memory scores, and the directory that kubeadm's
// packages would have made. kubeadm from 1.35 on refuses hosts with cgroups v1
// unless it is told not to, which kind does; on such a machine a wrapper earlier
// in PATH does the same, so that a printed join command works here as printed.
const prepareBlank = `set -e
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
mkdir -p /etc/kubernetes/manifests
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
  cat >/usr/local/bin/kubeadm <<'EOF'
#!/bin/sh
# Test bed, cgroups v1: join as kind does, without that preflight check.
case ${1-} in
  join) shift; exec /usr/bin/kubeadm join --ignore-preflight-errors=SystemVerification "$@" ;;
esac
exec /usr/bin/kubeadm "$@"
EOF
  chmod 0755 /usr/local/bin/kubeadm
fi
systemctl restart containerd
`

func (b *Bed) startBlank(ctx context.Context, name, image string) error {
	if err := sys.Command("docker", b.blankArgs(name, image)...).Run(ctx); err != nil {
		return fmt.Errorf("start blank host %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	booted := func(ctx context.Context) error {
		state, err := onHost(ctx, name, "systemctl", "is-active", "multi-user.target")
		if err != nil || state != "active" {
			return errors.Join(fmt.Errorf("system is %q", state), err)
		}
		return nil
	}
	if err := sys.Poll(ctx, 200*time.Millisecond, booted); err != nil {
		return fmt.Errorf("wait for blank host %s to boot: %w", name, err)
	}
	if _, err := onHost(ctx, name, "sh", "-c", prepareBlank); err != nil {
		return fmt.Errorf("prepare blank host %s: %w", name, err)
	}
	answers := func(ctx context.Context) error { return containerdAnswers(ctx, name) }
	if err := sys.Poll(ctx, 200*time.Millisecond, answers); err != nil {
		return fmt.Errorf("wait for containerd on blank host %s: %w", name, err)
	}
	return nil
}

// blankArgs are the arguments with which kind itself starts a node, and our
// own label instead of kind's, so that kind does not take it for a member.
func (b *Bed) blankArgs(name, image string) []string {
	return []string{
		"run", "--detach", "--tty", "--name", name, "--hostname", name,
		"--label", blankLabel + "=" + b.Name,
		"--privileged", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--tmpfs", "/tmp", "--tmpfs", "/run",
		"--volume", "/var", "--volume", "/lib/modules:/lib/modules:ro",
		"--cgroupns=private", "--init=false", "--net", network,
		"--env", "container=docker", image,
	}
}

func containerdAnswers(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := onHost(ctx, name, "ctr", "version")
	return err
}
