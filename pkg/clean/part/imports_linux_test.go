// SPDX-License-Identifier: Apache-2.0

package part

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestTheConfigurationsThatAConfigurationOfContainerdLeadsTo(t *testing.T) {
	conf := func(dir string, imports ...string) string {
		out := ""
		if len(imports) > 0 {
			out = `imports = ["` + strings.Join(imports, `","`) + "\"]\n"
		}
		return out + "[plugins.cri.cni]\nconf_dir = \"" + dir + "\"\n"
	}
	without := map[string]string{}
	for n := range mostImports + 1 {
		without[fmt.Sprintf("/etc/containerd/%d.toml", n)] = conf("/x", fmt.Sprintf("%d.toml", n+1))
	}
	without["/etc/containerd/config.toml"] = conf("/a", "0.toml")
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string
		fails bool
	}{
		"one": {map[string]string{"/etc/containerd/config.toml": conf("/a")}, []string{"/a"}, false},
		"one that names another, which names a third": {map[string]string{"/etc/containerd/config.toml": conf("/a", "d/*.toml"),
			"/etc/containerd/d/1.toml": conf("/b", "../e/*.toml", "/srv/own.toml"), "/etc/containerd/e/2.toml": conf("/c"),
			"/srv/own.toml": conf("/d")},
			[]string{"/a", "/b", "/c", "/d"}, false},
		"that name each other": {map[string]string{"/etc/containerd/config.toml": conf("/a", "config.toml", "1.toml"),
			"/etc/containerd/1.toml": conf("/b", "config.toml", "1.toml")}, []string{"/a", "/b"}, false},
		"that name one that is not there": {map[string]string{"/etc/containerd/config.toml": conf("/a", "none.toml")}, []string{"/a"}, false},
		"without end":                     {without, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			h := Host{Local: host.Local{Root: t.TempDir()}}
			for path, content := range tc.files {
				if err := os.MkdirAll(filepath.Dir(h.Path(path)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(h.Path(path), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := Places{}
			err := h.readImports(&p, "/etc/containerd/config.toml")
			if (err != nil) != tc.fails || !tc.fails && !slices.Equal(p.ConfDirs, tc.want) {
				t.Errorf("got %v, %v", p.ConfDirs, err)
			}
		})
	}
}
