// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

var versionPattern = regexp.MustCompile(`^v1\.([0-9]+)\.([0-9]+)$`)

// CheckVersion accepts the Kubernetes versions that this program can build.
func CheckVersion(version string) error {
	if !versionPattern.MatchString(version) {
		return fmt.Errorf("parse kubernetes version %q: a release such as %s is wanted", version, DefaultKubernetes)
	}
	return nil
}

// stagingVersion maps a version of Kubernetes to that of its libraries:
// v1.36.3 → v0.36.3.
func stagingVersion(version string) string {
	return "v0." + strings.TrimPrefix(version, "v1.")
}

// versionStamps are the linker flags by which the programs know their version.
// kubeadm compares it with the kubelet's, so it has to be right. The date is
// that of the beginning, so that the same source gives the same program.
func versionStamps(version string) []string {
	parts := versionPattern.FindStringSubmatch(version)
	minor := ""
	if parts != nil {
		minor = parts[1]
	}
	values := [][2]string{
		{"gitVersion", version}, {"gitMajor", "1"}, {"gitMinor", minor},
		{"gitTreeState", "clean"}, {"buildDate", "1970-01-01T00:00:00Z"},
	}
	var stamps []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, value := range values {
			stamps = append(stamps, "-X", pkg+"."+value[0]+"="+value[1])
		}
	}
	return stamps
}

// stagingModules lists the libraries that Kubernetes' own go.mod requires at
// v0.0.0. Inside its repository they are directories; from outside each one
// has to be replaced by its published release.
func stagingModules(gomod string) []string {
	var modules []string
	for line := range strings.Lines(gomod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[1] == "v0.0.0" && strings.HasPrefix(fields[0], "k8s.io/") {
			modules = append(modules, fields[0])
		}
	}
	return modules
}

// goDirective returns the go line of a go.mod.
func goDirective(gomod string) string {
	for line := range strings.Lines(gomod) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return value
		}
	}
	return "1.26.0"
}

// pinFile is the go.mod that pins one version of Kubernetes, given upstream's.
func pinFile(version, upstream string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "module testbed/kubernetes\n\ngo %s\n\n", goDirective(upstream))
	fmt.Fprintf(&out, "require k8s.io/kubernetes %s\n\nreplace (\n", version)
	for _, module := range stagingModules(upstream) {
		fmt.Fprintf(&out, "\t%s => %s %s\n", module, module, stagingVersion(version))
	}
	out.WriteString(")\n\ntool (\n")
	packages := slices.Collect(maps.Values(Tools(version).Programs))
	packages = slices.AppendSeq(packages, maps.Values(Servers(version).Programs))
	for _, pkg := range slices.Sorted(slices.Values(packages)) {
		fmt.Fprintf(&out, "\t%s\n", pkg)
	}
	out.WriteString(")\n")
	return out.String()
}

// ensureModule writes the pins of a Kubernetes version that is not pinned in
// the repository. The checksum database still vouches for every module.
func (b *Builder) ensureModule(ctx context.Context, p Product) error {
	dir := b.moduleDir(p)
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || p.Version == "" {
		return nil
	}
	title := "resolving the modules of kubernetes " + p.Version + " (not pinned in modules/)"
	return b.Once(ctx, dir, title, func(ctx context.Context, temp string) error {
		return Pin(ctx, p.Version, temp)
	})
}

// Pin writes go.mod and go.sum for a Kubernetes version into dir.
func Pin(ctx context.Context, version, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create module directory: %w", err)
	}
	module := "k8s.io/kubernetes@" + version
	env := []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
	raw, err := sys.Cmd{Name: "go", Args: []string{"mod", "download", "-json", module}, Dir: dir, Env: env}.Output(ctx)
	if err != nil {
		return fmt.Errorf("download %s: %w", module, err)
	}
	var info struct{ GoMod string }
	if err := json.Unmarshal([]byte(raw), &info); err != nil {
		return fmt.Errorf("read download of %s: %w", module, err)
	}
	upstream, err := os.ReadFile(info.GoMod)
	if err != nil {
		return fmt.Errorf("read go.mod of %s: %w", module, err)
	}
	path := filepath.Join(dir, "go.mod")
	if err := os.WriteFile(path, []byte(pinFile(version, string(upstream))), 0o644); err != nil {
		return fmt.Errorf("write pins: %w", err)
	}
	return sys.Cmd{Name: "go", Args: []string{"mod", "tidy"}, Dir: dir, Env: env}.Run(ctx)
}
