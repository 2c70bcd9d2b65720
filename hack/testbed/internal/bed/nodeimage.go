// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/image"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

const (
	// nodeRepository is the repository of the node images built here.
	nodeRepository = "kubectl-lifecycle/node"
	// pullPatience is how long a registry may take to show that it is there.
	pullPatience = 10 * time.Second
	// pullLimit bounds the pull itself.
	pullLimit = 5 * time.Minute
	// goBuilds is how many go builds run at a time; each one uses all cores,
	// but the ends of a build, when it links, use only one.
	goBuilds = 2
)

// imageAndTools returns the name of a node image that Docker has, and leaves
// kubectl, kubeadm, kind and the flannel chart in the cache.
func (b *Bed) imageAndTools(ctx context.Context) (string, error) {
	if err := b.ensureChart(ctx); err != nil {
		return "", err
	}
	if b.NodeImage != "" {
		b.Progress.Say("node image %s, as KIND_NODE_IMAGE says", b.NodeImage)
		return b.NodeImage, b.tools(ctx)
	}
	tag, err := b.nodeTag()
	if err != nil {
		return "", err
	}
	if hasImage(ctx, tag) {
		b.Progress.Say("node image %s, built here before", tag)
		return tag, b.tools(ctx)
	}
	stock := "kindest/node:" + b.Version
	if b.pull(ctx, stock) {
		return stock, b.tools(ctx)
	}
	return tag, b.buildNode(ctx, tag)
}

func hasImage(ctx context.Context, tag string) bool {
	_, err := sys.Command("docker", "image", "inspect", "--format", "{{.Id}}", tag).Output(ctx)
	return err == nil
}

// pull tries to get the stock image. A closed network must not cost minutes:
// docker prints its first line once the registry has answered, and a pull that
// is silent for too long is given up.
func (b *Bed) pull(ctx context.Context, stock string) bool {
	if hasImage(ctx, stock) {
		b.Progress.Say("node image %s is here", stock)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	patience := time.AfterFunc(pullPatience, cancel)
	defer patience.Stop()
	b.Progress.Say("trying to pull %s …", stock)
	pull := sys.Cmd{Name: "docker", Args: []string{"pull", stock}, Stdout: onWrite(func() { patience.Stop() })}
	if err := pull.Run(ctx); err != nil {
		b.Progress.Say("%s cannot be pulled here, so the node image is built from source", stock)
		return false
	}
	b.Progress.Say("node image %s is pulled", stock)
	return true
}

// onWrite is a writer that only tells that something was written.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

// nodeTag names the node image by everything that goes into it.
func (b *Bed) nodeTag() (string, error) {
	key, err := b.contentKey()
	if err != nil {
		return "", err
	}
	return nodeRepository + ":" + b.Version + "-" + key, nil
}

func (b *Bed) contentKey() (string, error) {
	parts := []string{b.builder.RootfsKey(build.NodeRootfs()), b.builder.RootfsKey(build.ImageRootfs()), build.AgnhostImage,
		build.SandboxImage}
	for _, product := range b.products() {
		dir, err := b.builder.Dir(product)
		if errors.Is(err, fs.ErrNotExist) && product.Version != "" {
			// A Kubernetes version whose pins are yet to be resolved.
			dir, err = product.Module, nil
		}
		if err != nil {
			return "", err
		}
		parts = append(parts, filepath.Base(dir))
	}
	for _, dir := range []string{"internal/image", "cmd/pause"} {
		key, err := build.KeyOfSources(filepath.Join(b.Source, dir))
		if err != nil {
			return "", err
		}
		parts = append(parts, key)
	}
	kind, err := b.builder.Dir(build.Kind())
	if err != nil {
		return "", err
	}
	return build.Key(append(parts, filepath.Base(kind))...), nil
}

// products are all that go onto a node or into its images.
func (b *Bed) products() []build.Product {
	return append([]build.Product{build.Servers(b.Version), build.Tools(b.Version)}, build.NodeParts()...)
}

// buildNode builds all parts of the node image, and then the image.
func (b *Bed) buildNode(ctx context.Context, tag string) error {
	release, err := sys.Lock(ctx, b.buildLock(), b.Progress)
	if err != nil {
		return err
	}
	defer release()
	if hasImage(ctx, tag) {
		b.Progress.Say("node image %s was built meanwhile", tag)
		return b.tools(ctx)
	}
	if err := b.builder.Sweep(); err != nil {
		return err
	}
	if err := sys.Install(ctx, b.Progress, build.RootfsTools()); err != nil {
		return err
	}
	parts := image.Parts{Version: b.Version}
	// One after the other: both are mostly download and dpkg.
	systems := func(ctx context.Context) (err error) {
		if parts.NodeRootfs, err = b.builder.Rootfs(ctx, build.NodeRootfs()); err != nil {
			return err
		}
		parts.ImageRootfs, err = b.builder.Rootfs(ctx, build.ImageRootfs())
		return err
	}
	if err := sys.Parallel(ctx, 2, systems, b.compileAll); err != nil {
		return err
	}
	if err := b.gather(ctx, &parts); err != nil {
		return err
	}
	archive, err := b.archive(ctx, parts, tag)
	if err != nil {
		return err
	}
	return b.Progress.Step(ctx, "making node image "+tag, func(ctx context.Context) error {
		return image.Node(ctx, parts, archive, tag)
	})
}

// compileAll builds every Go program. The two Kubernetes products share nearly
// all of their packages, so they are built one after the other.
func (b *Bed) compileAll(ctx context.Context) error {
	kubernetes := func(ctx context.Context) error {
		if _, err := b.builder.Build(ctx, build.Servers(b.Version)); err != nil {
			return err
		}
		return b.tools(ctx)
	}
	tasks := []sys.Task{kubernetes}
	for _, product := range build.NodeParts() {
		tasks = append(tasks, func(ctx context.Context) error {
			_, err := b.builder.Build(ctx, product)
			return err
		})
	}
	return sys.Parallel(ctx, goBuilds, tasks...)
}

// gather fills in where everything lies and which images are wanted.
func (b *Bed) gather(ctx context.Context, parts *image.Parts) error {
	parts.Programs = map[string]string{}
	for _, product := range b.products() {
		dir, err := b.builder.Dir(product)
		if err != nil {
			return err
		}
		for name := range maps.Keys(product.Programs) {
			parts.Programs[name] = filepath.Join(dir, name)
		}
	}
	pause, err := b.own(ctx, "pause")
	if err != nil {
		return err
	}
	parts.Programs["pause"] = filepath.Join(pause, "pause")
	kind, err := b.moduleRoot(ctx, "kind", "sigs.k8s.io/kind")
	if err != nil {
		return err
	}
	parts.KindFiles = filepath.Join(kind, "images", "base", "files")
	parts.Images, err = b.imageNames(ctx)
	return err
}

// imageNames are the names under which pods on this bed will ask for images.
func (b *Bed) imageNames(ctx context.Context) ([]string, error) {
	list, err := sys.Command(b.Program("kubeadm"), "config", "images", "list",
		"--kubernetes-version", b.Version).Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask kubeadm for its images: %w", err)
	}
	values, err := os.ReadFile(filepath.Join(b.chartDir(), "values.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read chart values: %w", err)
	}
	flannel, err := image.ChartImages(string(values))
	if err != nil {
		return nil, err
	}
	return slices.Concat(lines(list), flannel, []string{build.SandboxImage, build.AgnhostImage}), nil
}

// archive builds all container images into one archive in the cache.
func (b *Bed) archive(ctx context.Context, parts image.Parts, tag string) (string, error) {
	dir := filepath.Join(b.Cache, "images", strings.TrimPrefix(tag, nodeRepository+":"))
	title := fmt.Sprintf("packing %d container images", len(parts.Images))
	err := b.builder.Once(ctx, dir, title, func(ctx context.Context, temp string) error {
		return image.WriteArchive(ctx, parts, filepath.Join(temp, "images.tar"))
	})
	return filepath.Join(dir, "images.tar"), err
}
