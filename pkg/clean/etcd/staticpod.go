// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"cmp"
	"path/filepath"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// staticPod is what matters here of a static pod of kubeadm's.
type staticPod struct {
	// flags are those of its program.
	flags map[string]string
	// mounted are directories of the host, by the paths at which the container has them.
	mounted map[string]string
}

// parseStaticPod reads the manifest of a static pod with one program, in YAML or JSON.
func parseStaticPod(raw []byte) (staticPod, error) {
	var manifest struct {
		Spec struct {
			Containers []struct {
				Command, Args []string
				VolumeMounts  []struct{ Name, MountPath string }
			}
			Volumes []struct {
				Name     string
				HostPath *struct{ Path string }
			}
		}
	}
	if err := yaml.Unmarshal(raw, &manifest); err != nil {
		return staticPod{}, err
	}
	pod := staticPod{flags: map[string]string{}, mounted: map[string]string{}}
	for _, c := range manifest.Spec.Containers {
		for _, argument := range append(c.Command, c.Args...) {
			if flag, is := strings.CutPrefix(argument, "--"); is {
				name, value, _ := strings.Cut(flag, "=")
				pod.flags[name] = value
			}
		}
		for _, mount := range c.VolumeMounts {
			for _, v := range manifest.Spec.Volumes {
				if v.Name == mount.Name && v.HostPath != nil && filepath.IsAbs(v.HostPath.Path) && filepath.IsAbs(mount.MountPath) {
					pod.mounted[filepath.Clean(mount.MountPath)] = filepath.Clean(v.HostPath.Path)
				}
			}
		}
	}
	return pod, nil
}

// onHost is where on the host a path of the container's is; empty if it is not there.
func (p staticPod) onHost(path string) string {
	path = filepath.Join("/", path)
	for at := path; ; at = filepath.Dir(at) {
		if host, is := p.mounted[at]; is {
			return filepath.Join(host, strings.TrimPrefix(path, at))
		}
		if at == "/" {
			return ""
		}
	}
}

// dataDir is where on the host etcd has its data; empty if it is in the container.
func (p staticPod) dataDir() string {
	return p.onHost(cmp.Or(p.flags["data-dir"], inventory.DefaultDataDir))
}

// walDir is where on the host etcd has its log, if that is not in its data directory.
func (p staticPod) walDir() string {
	if p.flags["wal-dir"] == "" {
		return ""
	}
	return p.onHost(p.flags["wal-dir"])
}

// memberDir is what etcd makes in its data directory, and the others what it makes in that
// (server/storage/datadir/datadir.go, 3.6).
const (
	memberDir = "member"
	snapDir   = "snap"
	walDir    = "wal"
)

// madeByEtcd reports whether etcd makes something of a name in one of these directories
// (server/storage/wal, server/etcdserver/api/snap and bbolt's defragmentation, 3.6). In a
// directory of its own for its log there may be another's, too.
func madeByEtcd(in, name string) bool {
	made := map[string]string{
		memberDir: `snap|wal`,
		walDir:    `[0-9a-f]{16}-[0-9a-f]{16}\.wal(\.broken)?|[0-9]+\.tmp|0\.wal`,
		snapDir:   `db|db\.tmp.*|tmp[0-9]+|[0-9a-f]{16}-[0-9a-f]{16}\.snap(\.broken)?|[0-9a-f]{16}\.snap\.db`,
	}
	return regexp.MustCompile(`^(?:`+made[in]+`)$`).MatchString(name) && made[in] != ""
}
