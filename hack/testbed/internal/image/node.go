// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// packing is how many layers are compressed at a time.
const packing = 2

// WriteArchive builds the images named in parts and writes them as one OCI
// archive to path. Intermediate files lie beside it and are removed.
func WriteArchive(ctx context.Context, parts Parts, path string) error {
	plans, err := specs(parts.Images)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "layers-")
	if err != nil {
		return fmt.Errorf("create directory of layers: %w", err)
	}
	defer os.RemoveAll(dir)
	images, err := buildAll(ctx, parts, plans, dir)
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create image archive: %w", err)
	}
	defer out.Close()
	if err := writeArchive(out, images); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write image archive: %w", err)
	}
	return nil
}

// buildAll makes the layers of all images, the shared one only once.
func buildAll(ctx context.Context, parts Parts, plans []spec, dir string) ([]built, error) {
	var base layer
	tasks := []sys.Task{func(context.Context) (err error) {
		base, err = rootfsLayer(dir, parts.ImageRootfs, baseFiles())
		return err
	}}
	top := make([]layer, len(plans))
	for i, plan := range plans {
		tasks = append(tasks, func(context.Context) error {
			var files []File
			for place, name := range plan.programs {
				source, ok := parts.Programs[name]
				if !ok {
					return fmt.Errorf("build image %s: program %s was not built", plan.names[0], name)
				}
				files = append(files, File{Path: place, Mode: 0o755, Source: source})
			}
			// Some programs want a place for temporary files.
			files = append(files, File{Path: "/tmp", Mode: 0o1777, Dir: true})
			var err error
			top[i], err = filesLayer(dir, files)
			return err
		})
	}
	if err := sys.Parallel(ctx, packing, tasks...); err != nil {
		return nil, err
	}
	images := make([]built, len(plans))
	for i, plan := range plans {
		images[i] = built{names: plan.names, process: plan.process, layers: []layer{top[i]}}
		if plan.onBase {
			images[i].layers = []layer{base, top[i]}
		}
	}
	return images, nil
}

// Node makes the node image tag out of parts and the image archive.
func Node(ctx context.Context, parts Parts, archive, tag string) error {
	raw, err := sys.Command(parts.Programs["ctr"], "oci", "spec").Output(ctx)
	if err != nil {
		return fmt.Errorf("ask for a runtime specification: %w", err)
	}
	spec, err := runtimeSpec([]byte(raw))
	if err != nil {
		return err
	}
	files, err := nodeFiles(parts, spec)
	if err != nil {
		return err
	}
	base := tag + "-base"
	if err := importTree(ctx, parts.NodeRootfs, files, base); err != nil {
		return err
	}
	// Only the tag goes: the layer stays, as part of the image made on it.
	defer func() { _ = sys.Command("docker", "image", "rm", base).Run(context.WithoutCancel(ctx)) }()
	return preload(ctx, base, archive, tag)
}

// importTree streams a root file system into a Docker image.
func importTree(ctx context.Context, rootfs string, files []File, tag string) error {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeTree(writer, rootfs, files, keepOnNode)
		writer.CloseWithError(err)
		written <- err
	}()
	load := sys.Cmd{Name: "docker", Stdin: reader, Args: append([]string{"import"}, changes("-", tag)...)}
	err := load.Run(ctx)
	reader.CloseWithError(errors.New("docker import has ended"))
	if err = errors.Join(<-written, err); err != nil {
		return fmt.Errorf("import node file system: %w", err)
	}
	return nil
}

// changes are the settings of kind's base image, followed by more arguments.
func changes(more ...string) []string {
	return append([]string{
		"--change", "ENV container=docker",
		"--change", `ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`,
	}, more...)
}

// importScript runs in a container of the base image: containerd long enough
// to take the images in. They are not unpacked, which would need mounts and
// make the node image twice as large; a node unpacks what it starts.
const importScript = `set -eu
containerd >/tmp/containerd.log 2>&1 &
pid=$!
for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
ctr -n k8s.io images import --no-unpack - || { tail -5 /tmp/containerd.log >&2; exit 1; }
kill "$pid"
wait "$pid" || true
rm -f /tmp/containerd.log
rm -rf /run/containerd
`

// preload imports the archive in a container of base and keeps that as tag.
func preload(ctx context.Context, base, archive, tag string) error {
	images, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("open image archive: %w", err)
	}
	defer images.Close()
	name := "testbed-image-" + strings.ToLower(fmt.Sprintf("%x", time.Now().UnixNano()))
	// The archive comes through stdin: a mount would leave its mount point.
	// systemd ends on that signal, SIGTERM makes it start over; a commit keeps
	// the container's, and has no setting of its own for it.
	run := sys.Cmd{Name: "docker", Stdin: images, Args: []string{"run", "--interactive", "--name", name,
		"--stop-signal=SIGRTMIN+3",
		"--network=none", "--security-opt=seccomp=unconfined", "--entrypoint=/bin/sh", base, "-c", importScript}}
	defer func() {
		_ = sys.Command("docker", "rm", "--force", "--volumes", name).Run(context.WithoutCancel(ctx))
	}()
	if err := run.Run(ctx); err != nil {
		return fmt.Errorf("preload images into the node image: %w", err)
	}
	commit := append([]string{"commit"}, changes("--change", "CMD []", name, tag)...)
	if err := sys.Command("docker", commit...).Run(ctx); err != nil {
		return fmt.Errorf("keep node image: %w", err)
	}
	return nil
}
