// SPDX-License-Identifier: Apache-2.0

package kubeconfig

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// admin is a kubeconfig as kubeadm writes it, of a cluster with some authority.
func admin(t *testing.T, authority string) []byte {
	t.Helper()
	config := api.NewConfig()
	config.Clusters["kubernetes"] = &api.Cluster{Server: "https://api:6443", CertificateAuthorityData: []byte(authority)}
	config.AuthInfos["kubernetes-admin"] = &api.AuthInfo{ClientCertificateData: []byte("cert"), ClientKeyData: []byte("hush")}
	config.Contexts["kubernetes-admin@kubernetes"] = &api.Context{Cluster: "kubernetes", AuthInfo: "kubernetes-admin"}
	config.CurrentContext = "kubernetes-admin@kubernetes"
	raw, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func parsed(t *testing.T, authority string) *Admin {
	t.Helper()
	a, err := ParseAdmin(admin(t, authority))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAClusterIsAddedUnderItsNameAndNothingElseChanges(t *testing.T) {
	there := api.NewConfig()
	there.Clusters["old"], there.Contexts["old"] = &api.Cluster{Server: "https://old"}, &api.Context{Cluster: "old", Namespace: "mine"}
	there.CurrentContext = "old"
	out, changed, err := Add(there, there, "prod", parsed(t, "one"))
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if out.CurrentContext != "old" || out.Contexts["old"].Namespace != "mine" || out.Clusters["prod"].Server != "https://api:6443" ||
		out.Contexts["prod"].AuthInfo != "prod" || string(out.AuthInfos["prod"].ClientKeyData) != "hush" {
		t.Errorf("%+v", out)
	}
	if len(there.Clusters) != 1 {
		t.Error("what was read has changed")
	}
	again, changed, err := Add(out, out, "prod", parsed(t, "one"))
	if err != nil || changed || again.CurrentContext != "old" {
		t.Errorf("twice: %v, %v", changed, err)
	}
	if fresh, _, err := Add(api.NewConfig(), api.NewConfig(), "prod", parsed(t, "one")); err != nil || fresh.CurrentContext != "prod" {
		t.Errorf("into an empty one: %v", err)
	}
}

// TestWhatAPersonHasMadeOfTheEntryStays: a proxy, a namespace, credentials of its own.
func TestWhatAPersonHasMadeOfTheEntryStays(t *testing.T) {
	out, _, err := Add(api.NewConfig(), api.NewConfig(), "prod", parsed(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	out.Clusters["prod"].ProxyURL, out.Contexts["prod"].Namespace = "socks5://here", "mine"
	out.AuthInfos["prod"] = &api.AuthInfo{Token: "oidc"}
	again, changed, err := Add(out, out, "prod", parsed(t, "one"))
	if err != nil || changed || again.AuthInfos["prod"].Token != "oidc" || again.Clusters["prod"].ProxyURL == "" {
		t.Errorf("%v, %v", changed, err)
	}
}

func TestANameOfAnotherClusterIsNotTaken(t *testing.T) {
	for name, there := range map[string]*api.Config{
		"another cluster": {Clusters: map[string]*api.Cluster{"prod": {CertificateAuthorityData: []byte("two")}}},
		"a context of it": {Contexts: map[string]*api.Context{"prod": {Cluster: "x"}}},
		"a user of it":    {AuthInfos: map[string]*api.AuthInfo{"prod": {}}},
		"another user's": {Clusters: map[string]*api.Cluster{"prod": {CertificateAuthorityData: []byte("one")}},
			Contexts: map[string]*api.Context{"prod": {Cluster: "prod", AuthInfo: "bob"}}},
		"one without a CA": {Clusters: map[string]*api.Cluster{"prod": {Server: "https://api:6443"}}},
	} {
		_, _, err := Add(there, there, "prod", parsed(t, "one"))
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--context") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAllFilesOfAKubeconfigAreLookedAt: kubectl reads them together, and an entry of the
// first file hides those of the others.
func TestAllFilesOfAKubeconfigAreLookedAt(t *testing.T) {
	entry := func(authority, current string) *api.Config {
		c, _, err := Add(api.NewConfig(), api.NewConfig(), "prod", parsed(t, authority))
		if err != nil {
			t.Fatal(err)
		}
		c.CurrentContext = current
		return c
	}
	for name, tc := range map[string]struct {
		first, second *api.Config
		refused       bool
		changed       bool
		current       string // of all files, afterwards
	}{
		"no file has the name":                        {api.NewConfig(), api.NewConfig(), false, true, "prod"},
		"the second file has another cluster of it":   {api.NewConfig(), entry("two", "prod"), true, false, ""},
		"the second file has this very cluster":       {api.NewConfig(), entry("one", "prod"), false, false, "prod"},
		"the second file has it, and no current one":  {api.NewConfig(), entry("one", ""), false, true, "prod"},
		"the second file has a current context":       {api.NewConfig(), &api.Config{CurrentContext: "mine"}, false, true, "mine"},
		"the first file has the cluster, not the one": {entry("one", ""), &api.Config{CurrentContext: "mine"}, false, false, "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := []string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
			for n, c := range []*api.Config{tc.first, tc.second} {
				if err := clientcmd.WriteToFile(*c, files[n]); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("KUBECONFIG", strings.Join(files, string(filepath.ListSeparator)))
			f, err := Read(Path(""))
			if err != nil || f.Path != files[0] {
				t.Fatal(f.Path, err)
			}
			all, err := Merged("")
			if err != nil {
				t.Fatal(err)
			}
			out, changed, err := Add(f.Config, all, "prod", parsed(t, "one"))
			if (plan.ClassOf(err) == plan.Refused) != tc.refused || changed != tc.changed {
				t.Fatalf("changed: %v, %v", changed, err)
			}
			if tc.refused {
				return
			}
			if _, err := f.Write(out, time.Unix(0, 0)); err != nil {
				t.Fatal(err)
			}
			if all, err = Merged(""); err != nil || all.CurrentContext != tc.current || Of(all, "prod", parsed(t, "one")) != Ours {
				t.Errorf("current context %q, %v", all.CurrentContext, err)
			}
		})
	}
}

func TestFilesThatCannotBeReadAreRefusedAndThoseThatAreNotThereAreEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if all, err := Merged(path); err != nil || len(all.Clusters) != 0 {
		t.Errorf("not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("users: [{user: {token: hush}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Merged(path); plan.ClassOf(err) != plan.Refused || strings.Contains(err.Error(), "hush") {
		t.Errorf("one that cannot be read: %v", err)
	}
}

// TestAServerThatIsThereStays: a cluster's authority is public, so that any host can show
// it and name a server.
func TestAServerThatIsThereStays(t *testing.T) {
	there, _, err := Add(api.NewConfig(), api.NewConfig(), "prod", parsed(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if other := OtherServer(there, "prod", parsed(t, "one")); other != "" {
		t.Errorf("the same one is another: %s", other)
	}
	there.Clusters["prod"].Server = "https://tunnel:1"
	out, changed, err := Add(there, there, "prod", parsed(t, "one"))
	if err != nil || changed || out.Clusters["prod"].Server != "https://tunnel:1" {
		t.Errorf("%v, %v", changed, err)
	}
	if other := OtherServer(out, "prod", parsed(t, "one")); other != "https://tunnel:1" {
		t.Errorf("the difference is not told: %q", other)
	}
	if other := OtherServer(api.NewConfig(), "prod", parsed(t, "one")); other != "" {
		t.Errorf("no entry has another server: %s", other)
	}
}

// TestAHostCannotPutAProgramIntoAKubeconfig: what it sends is run by kubectl later.
func TestAHostCannotPutAProgramIntoAKubeconfig(t *testing.T) {
	config, err := clientcmd.Load(admin(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	user, cluster := config.AuthInfos["kubernetes-admin"], config.Clusters["kubernetes"]
	user.Exec = &api.ExecConfig{Command: "evil", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: api.NeverExecInteractiveMode}
	user.Impersonate, user.TokenFile, cluster.ProxyURL, cluster.InsecureSkipTLSVerify = "x", "/etc/shadow", "http://evil", true
	raw, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAdmin(raw)
	if err != nil {
		t.Fatal(err)
	}
	if a.user.Exec != nil || a.user.TokenFile != "" || a.user.Impersonate != "" || a.cluster.ProxyURL != "" ||
		a.cluster.InsecureSkipTLSVerify {
		t.Errorf("%+v", a.cluster)
	}
	for name, raw := range map[string]string{"nothing": "", "no YAML": "\x00: [hush", "no context": "kind: Config\napiVersion: v1\n"} {
		if _, err := ParseAdmin([]byte(raw)); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFileIsKeptAndReplacedAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "config")
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := Add(f.Config, f.Config, "prod", parsed(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if backup, err := f.Write(out, time.Unix(0, 0)); err != nil || backup != "" {
		t.Fatal(backup, err)
	}
	if _, err := f.Write(out, time.Unix(0, 0)); err == nil {
		t.Error("a file that has come since it was read is written over")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if f, err = Read(link); err != nil {
		t.Fatal(err)
	}
	before := f.raw
	if out, _, err = Add(f.Config, f.Config, "test", parsed(t, "two")); err != nil {
		t.Fatal(err)
	}
	backup, err := f.Write(out, time.Unix(0, 0))
	if err != nil || backup == "" {
		t.Fatal(backup, err)
	}
	kept, err := os.ReadFile(backup)
	if err != nil || string(kept) != string(before) {
		t.Errorf("it is not kept: %v", err)
	}
	for _, one := range []string{path, backup} {
		if info, err := os.Lstat(one); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", one, info.Mode(), err)
		}
	}
	if target, err := os.Readlink(link); err != nil || target != path {
		t.Errorf("the link: %q, %v", target, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 3 {
		t.Errorf("something is left: %v", entries)
	}
}

func TestAFileThatIsInUseIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(path), "link")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	linked, err := Read(link)
	if err != nil {
		t.Fatal(err)
	}
	for _, lock := range []string{path + ".lock", link + ".lock"} { // kubectl locks the name that it was given
		if err := os.WriteFile(lock, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := linked.Write(api.NewConfig(), time.Unix(0, 0)); err == nil || plan.HintOf(err) == "" {
			t.Errorf("%s: %v", lock, err)
		}
		if err := os.Remove(lock); err != nil {
			t.Errorf("the lock of another program is gone: %v", err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.lock")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := errors.Join(os.Remove(link), os.Remove(path), os.WriteFile(path+".lock", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(api.NewConfig(), time.Unix(0, 0)); err == nil || plan.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("users: [{user: {token: hush}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); plan.ClassOf(err) != plan.Refused || strings.Contains(err.Error(), "hush") {
		t.Errorf("one that cannot be read: %v", err)
	}
}

// TestAnAnswerOfANewClusterIsBounded: the host that names the server may be in wrong hands.
func TestAnAnswerOfANewClusterIsBounded(t *testing.T) {
	for name, size := range map[string]int{"a Node's": 10_000, "one without an end": mostOfAnswer + 1} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"Node","apiVersion":"v1","metadata":{"name":"`))
			_, _ = w.Write(bytes.Repeat([]byte("a"), size))
			_, _ = w.Write([]byte(`"}}`))
		}))
		response, err := (bounded{http.DefaultTransport}).RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if tooLarge := size > mostOfAnswer; (err != nil) != tooLarge || len(raw) > mostOfAnswer {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
		server.Close()
	}
}
