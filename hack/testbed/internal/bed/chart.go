// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
)

// chartDir is where the chart is copied to: the module cache is read-only, and
// a test that packs or changes a chart needs one that is not.
func (b *Bed) chartDir() string {
	return filepath.Join(b.Cache, "charts", "kube-flannel-"+b.flannelVersion())
}

// flannelVersion reads the pin of flannel.
func (b *Bed) flannelVersion() string {
	raw, err := os.ReadFile(filepath.Join(b.Source, "modules", "flannel", "go.mod"))
	if err != nil {
		return "unknown"
	}
	return pinnedVersion(string(raw), build.FlannelModule)
}

// pinnedVersion finds the version at which a go.mod requires a module.
func pinnedVersion(gomod, module string) string {
	for line := range strings.Lines(gomod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1]
		}
	}
	return "unknown"
}

// ensureChart copies flannel's chart out of its module.
func (b *Bed) ensureChart(ctx context.Context) error {
	title := "fetching the flannel chart " + b.flannelVersion()
	return b.builder.Once(ctx, b.chartDir(), title, func(ctx context.Context, temp string) error {
		root, err := b.moduleRoot(ctx, "flannel", build.FlannelModule)
		if err != nil {
			return err
		}
		if err := copyTree(filepath.Join(root, "chart", "kube-flannel"), temp); err != nil {
			return fmt.Errorf("copy chart: %w", err)
		}
		return nil
	})
}

// copyTree copies directories and files, all of them writable by their owner.
func copyTree(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		if entry.IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			if err := copyTree(source, target); err != nil {
				return err
			}
			continue
		}
		raw, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}
