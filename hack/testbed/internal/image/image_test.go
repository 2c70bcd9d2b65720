// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSpecs(t *testing.T) {
	t.Parallel()
	plans, err := specs([]string{
		"registry.k8s.io/kube-apiserver:v1.36.3",
		"registry.k8s.io/kube-proxy:v1.36.3",
		"registry.k8s.io/pause:3.10.2",
		"registry.k8s.io/etcd:3.6.8-0",
		"registry.k8s.io/coredns/coredns:v1.14.2",
		"registry.k8s.io/pause:3.10",
		"registry.k8s.io/pause:3.10",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(plans) != 5 {
		t.Fatalf("got %d images, want 5: %v", len(plans), plans)
	}
	for _, plan := range plans {
		kind := kindOf(plan.names[0])
		if want := kind == "kube-proxy"; plan.onBase != want {
			t.Errorf("%s: on the base %v, want %v", kind, plan.onBase, want)
		}
		if !slices.Contains(plan.process.Env, searchPath) {
			t.Errorf("%s: no PATH", kind)
		}
		if kind != "pause" {
			continue
		}
		want := []string{"registry.k8s.io/pause:3.10.2", "registry.k8s.io/pause:3.10"}
		if !slices.Equal(plan.names, want) || plan.process.User != pauseUser {
			t.Errorf("pause: names %v, user %q", plan.names, plan.process.User)
		}
	}
	if _, err := specs([]string{"registry.k8s.io/unheard-of:v1"}); err == nil {
		t.Error("an image that nobody knows is not an error")
	}
}

func TestEveryPlacedProgramHasAKnownPlace(t *testing.T) {
	t.Parallel()
	for dir, names := range placement() {
		if slices.Contains(names, "flannel") {
			t.Errorf("%s has the flannel plugin, which its chart has to bring", dir)
		}
	}
}

func TestChartImages(t *testing.T) {
	t.Parallel()
	values := `flannel:
  image:
    repository: ghcr.io/flannel-io/flannel
    tag: v0.28.4
  flannel_cni:
    image:
      repository: "ghcr.io/flannel-io/flannel-cni-plugin"
      tag: 'v1.9.1-flannel1'
netpol:
  image:
    repository: registry.k8s.io/networking/kube-network-policies
    tag: v1.0.0
`
	got, err := ChartImages(values)
	want := []string{"ghcr.io/flannel-io/flannel:v0.28.4", "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("ChartImages = %v, %v; want %v", got, err, want)
	}
	if _, err := ChartImages("flannel: {}\n"); err == nil {
		t.Error("values without images are not an error")
	}
}

func TestKeepOnNode(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		".": true, "dev": true, "dev/null": false, "etc/passwd": true,
		"var/lib/apt/lists": true, "var/lib/apt/lists/x": false, "var/cache/apt/pkgcache.bin": false,
		"etc/systemd/system/timers.target.wants":                                     true,
		"etc/systemd/system/timers.target.wants/apt-daily.timer":                     false,
		"etc/systemd/system/dbus.service":                                            true,
		"usr/lib/systemd/system/multi-user.target.wants/getty.target":                false,
		"usr/lib/systemd/system/sockets.target.wants/dbus.socket":                    true,
		"usr/lib/systemd/system/sockets.target.wants/systemd-udevd-kernel.socket":    false,
		"usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service": false,
		"usr/lib/systemd/system/sysinit.target.wants/systemd-sysctl.service":         true,
	}
	for name, want := range tests {
		if got := keepOnNode(name); got != want {
			t.Errorf("keepOnNode(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestRuntimeSpec(t *testing.T) {
	t.Parallel()
	out, err := runtimeSpec([]byte(`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE"}],"cwd":"/"},"root":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Process map[string]any
		Hooks   struct{ CreateContainer []struct{ Path string } }
	}
	if err := json.Unmarshal(out, &spec); err != nil {
		t.Fatal(err)
	}
	if _, ok := spec.Process["rlimits"]; ok || spec.Process["cwd"] != "/" {
		t.Errorf("process = %v", spec.Process)
	}
	if len(spec.Hooks.CreateContainer) != 1 || spec.Hooks.CreateContainer[0].Path != "/kind/bin/mount-product-files.sh" {
		t.Errorf("hooks = %v", spec.Hooks)
	}
}

// TestTreeOverRootfs checks what a node's file system is made of: the root file
// system without what is left out, the laid-over file instead of the original,
// and a directory entry before everything in it.
func TestTreeOverRootfs(t *testing.T) {
	t.Parallel()
	rootfs := filepath.Join(t.TempDir(), "rootfs.tar")
	var raw bytes.Buffer
	in := newTreeWriter(&raw)
	err := errors.Join(in.add([]File{
		{Path: "./dev/null"}, {Path: "./etc/hosts", Data: []byte("old")}, {Path: "./etc/passwd"},
	}), in.close(), os.WriteFile(rootfs, raw.Bytes(), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	over := []File{{Path: "/etc/hosts", Mode: 0o644, Data: []byte("new")}, {Path: "/opt/cni/bin/ptp", Mode: 0o755}}
	if err := writeTree(&out, rootfs, over, keepOnNode); err != nil {
		t.Fatal(err)
	}
	var names []string
	for reader := tar.NewReader(&out); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		if content, _ := io.ReadAll(reader); header.Name == "etc/hosts" && string(content) != "new" {
			t.Errorf("etc/hosts = %q, want the laid-over one", content)
		}
	}
	want := "dev/ etc/ etc/passwd etc/hosts opt/ opt/cni/ opt/cni/bin/ opt/cni/bin/ptp"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("entries = %s, want %s", got, want)
	}
}
