// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/engine"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// Bed does what the commands ask for.
type Bed struct {
	Config
	Progress *sys.Progress
	builder  *build.Builder
}

// New makes a Bed of a configuration.
func New(c Config, p *sys.Progress) *Bed {
	return &Bed{Config: c, Progress: p,
		builder: &build.Builder{Cache: c.Cache, Source: c.Source, Progress: p}}
}

// Up brings up what is missing: tools, engine, node image, cluster, blank host.
func (b *Bed) Up(ctx context.Context) error {
	if err := sys.Here().Check(); err != nil {
		return err
	}
	release, err := sys.Lock(ctx, b.bedLock(), b.Progress)
	if err != nil {
		return err
	}
	defer release()
	b.Progress.Say("test bed %s: Kubernetes %s, cache %s", b.Name, b.Version, b.Cache)
	if err := sys.RaiseLimits(b.Progress); err != nil {
		return err
	}
	if err := b.ensureEngine(ctx); err != nil {
		return err
	}
	node, err := b.imageAndTools(ctx)
	if err != nil {
		return err
	}
	if err := b.ensureCluster(ctx, node); err != nil {
		return err
	}
	if err := b.ensureBlank(ctx, b.Blank(), node); err != nil {
		return err
	}
	b.Progress.Say("ready; kubeconfig: %s", b.Kubeconfig())
	return nil
}

// ensureEngine installs the tools of the host and has an engine answer.
func (b *Bed) ensureEngine(ctx context.Context) error {
	release, err := sys.Lock(ctx, b.engineLock(), b.Progress)
	if err != nil {
		return err
	}
	defer release()
	if err := sys.Install(ctx, b.Progress, engine.Tools()); err != nil {
		return err
	}
	docker := &engine.Engine{
		Dir:      filepath.Join(b.Cache, "dockerd"),
		Progress: b.Progress,
		Wrapper: func(ctx context.Context) (string, error) {
			dir, err := b.own(ctx, "oci-runtime")
			return filepath.Join(dir, "oci-runtime"), err
		},
	}
	return docker.Ensure(ctx)
}

// own builds one of this module's own small programs.
func (b *Bed) own(ctx context.Context, name string) (string, error) {
	key, err := build.KeyOfSources(filepath.Join(b.Source, "cmd", name))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.Cache, "build", name+"-"+key)
	err = b.builder.Once(ctx, dir, "building "+name, func(ctx context.Context, temp string) error {
		return sys.Cmd{Name: "go", Dir: b.Source, Env: []string{"GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"},
			Args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
				"-o", filepath.Join(temp, name), "./cmd/" + name}}.Run(ctx)
	})
	return dir, err
}

// tools builds kubectl, kubeadm and kind and links them into BinDir.
func (b *Bed) tools(ctx context.Context) error {
	for _, product := range []build.Product{build.Tools(b.Version), build.Kind()} {
		dir, err := b.builder.Build(ctx, product)
		if err != nil {
			return err
		}
		for name := range product.Programs {
			if err := link(filepath.Join(dir, name), b.Program(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// link makes or corrects a symbolic link.
func link(target, path string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("create directory of program: %w", err)
	}
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link program: %w", err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link program: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("link program: %w", err)
	}
	return nil
}

// moduleRoot is where the go tool keeps the source of a pinned module.
func (b *Bed) moduleRoot(ctx context.Context, dir, module string) (string, error) {
	root, err := sys.Cmd{Name: "go", Dir: filepath.Join(b.Source, "modules", dir),
		Env:  []string{"GOFLAGS=-mod=readonly", "GOWORK=off"},
		Args: []string{"mod", "download", "-json", module}}.Output(ctx)
	if err != nil {
		return "", fmt.Errorf("download %s: %w", module, err)
	}
	return jsonField(root, "Dir")
}

// Down removes the bed: cluster, blank hosts with their volumes, kubeconfig.
func (b *Bed) Down(ctx context.Context) error {
	release, err := sys.Lock(ctx, b.bedLock(), b.Progress)
	if err != nil {
		return err
	}
	defer release()
	if err := engine.Answers(ctx); err != nil {
		b.Progress.Say("no docker engine answers, so nothing of this bed runs")
	} else if err := b.removeAll(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(b.StateDir()); err != nil {
		return fmt.Errorf("remove state of test bed: %w", err)
	}
	b.Progress.Say("test bed %s is gone; left: the cache %s (builds, so that the next up is quick) and dockerd", b.Name, b.Cache)
	return nil
}

// removeAll removes the containers of this bed, the blank hosts too: a host that
// had joined a cluster which is gone is not blank and no cluster's node.
func (b *Bed) removeAll(ctx context.Context) error {
	containers, err := b.ownContainers(ctx)
	if err != nil {
		return err
	}
	for _, name := range containers {
		b.Progress.Say("removing %s", name)
	}
	if err := removeContainers(ctx, containers); err != nil {
		return err
	}
	for _, path := range []string{b.Kubeconfig(), b.createdPath()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove state of test bed: %w", err)
		}
	}
	return nil
}

// Leftovers says what down leaves on the machine and how to remove that too.
func (b *Bed) Leftovers(ctx context.Context) {
	b.Progress.Say("left on purpose, with the command that removes it:")
	b.Progress.Say("  build cache:         rm -rf %s", b.Cache)
	if pid := engine.Pid(); pid != 0 {
		b.Progress.Say("  dockerd (pid %d):  kill %d", pid, pid)
	}
	images, err := sys.Command("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", nodeRepository).Output(ctx)
	if err == nil && images != "" {
		for _, tag := range slices.Sorted(slices.Values(lines(images))) {
			b.Progress.Say("  node image:          docker image rm %s", tag)
		}
	}
	if _, err := sys.Command("docker", "network", "inspect", network).Output(ctx); err == nil {
		b.Progress.Say("  docker network:      docker network rm %s (once no kind cluster uses it)", network)
	}
	b.Progress.Say("  raised fs.inotify limits: gone with the next boot")
	b.Progress.Say("  Debian packages and the Go module and build caches stay as they are")
}
