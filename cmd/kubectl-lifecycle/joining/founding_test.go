// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kubeconfig"
)

// entryOf is a kubeconfig with a cluster, a user and a context of one name.
func entryOf(name, server, authority string) *api.Config {
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{Server: server, CertificateAuthorityData: []byte(authority)}
	c.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: []byte("cert"), ClientKeyData: []byte("hush")}
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	return c
}

func TestANewClusterHidesNothingOfAnotherFile(t *testing.T) {
	raw, err := clientcmd.Write(*entryOf("kubernetes", "https://new:6443", "one"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		second        *api.Config
		says, current string
		written       bool
	}{
		"another cluster has the name there":  {entryOf("prod", "https://old:6443", "two"), "leads to another cluster", "prod", false},
		"the cluster is there, at a tunnel":   {entryOf("prod", "https://tunnel:1", "one"), "has another server", "prod", false},
		"another context is the current one":  {entryOf("mine", "https://mine:6443", "two"), "context prod is in", "mine", true},
		"there is no entry, and none current": {api.NewConfig(), "context prod is in", "prod", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
			if err := os.WriteFile(first, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := clientcmd.WriteToFile(*tc.second, second); err != nil {
				t.Fatal(err)
			}
			t.Setenv("KUBECONFIG", first+string(filepath.ListSeparator)+second)
			var said bytes.Buffer
			c := commands{env.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &said, ErrOut: &said}, "dev")}
			i := initRun{commands: c}
			if i.own, err = c.ownKubeconfig("prod"); err != nil {
				t.Fatal(err)
			}
			if i.admin, err = kubeconfig.ParseAdmin(raw); err != nil {
				t.Fatal(err)
			}
			if err := i.merge(t.Context(), func(string, ...any) {}); err != nil {
				said.WriteString(err.Error())
			} else {
				i.sayNext()
			}
			if !strings.Contains(said.String(), tc.says) || strings.Contains(said.String(), "hush") {
				t.Errorf("it says: %s", said.String())
			}
			now, err := os.ReadFile(first)
			if err != nil || (len(now) > 0) != tc.written {
				t.Errorf("the first file: %s, %v", now, err)
			}
			if all, err := kubeconfig.Merged(""); err != nil || all.CurrentContext != tc.current {
				t.Errorf("current context %q, %v", all.CurrentContext, err)
			}
		})
	}
}
