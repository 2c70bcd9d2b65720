// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/install"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// debian is a host with the real apt and dpkg: what they write is in memory, and there is
// no network.
type debian struct {
	t     *testing.T
	files string
	order packages.Order
}

const (
	testVersion = "1.36.3-1.1"
	kubeletConf = "/etc/default/kubelet"
	adminConf   = "/etc/default/kubeadm"
)

// onDebian runs a test's body on such a host.
func onDebian(t *testing.T, body func(t *testing.T, d debian)) {
	t.Helper()
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("not tested: this machine has no %s", program)
		}
	}
	hosttest.Isolate(t, func(t *testing.T, dir string) { body(t, newDebian(t, dir)) })
}

// newDebian makes it, and packages of kubeadm, kubectl and kubelet for it; the last has a
// file of configuration.
func newDebian(t *testing.T, dir string) debian {
	t.Helper()
	for _, at := range []string{"etc", "var/lib", "var/cache", "var/log", "usr", "run"} {
		over := filepath.Join(dir, strings.ReplaceAll(at, "/", "-"))
		hosttest.Must(t, os.MkdirAll(over+"/up", 0o755))
		hosttest.Must(t, os.MkdirAll(over+"/work", 0o755))
		hosttest.Run(t, "mount", "-t", "overlay", "o", "-o", fmt.Sprintf("lowerdir=/%s,upperdir=%s/up,workdir=%s/work", at, over, over), "/"+at)
	}
	// No package is installed nor known: what this machine has makes no difference, and both read fast.
	hosttest.Script(t, `mount -t tmpfs t /var/lib/dpkg; cd /var/lib/dpkg; mkdir info updates triggers; : >status; : >available
		mount -t tmpfs t /var/lib/apt; mkdir -p /var/lib/apt/lists/partial; rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
		mkdir -p /etc/dpkg/dpkg.cfg.d; echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe`)
	d := debian{t, filepath.Join(dir, "files"), packages.Order{Version: "v1.36.3"}}
	d.pack("kubeadm", adminConf)
	d.pack("kubectl", "")
	d.pack("kubelet", kubeletConf)
	return d
}

// pack makes a package with a file of configuration, and has the order name it.
func (d *debian) pack(name, config string) {
	d.t.Helper()
	tree := filepath.Join(d.t.TempDir(), name)
	put := func(path, content string) {
		hosttest.Must(d.t, os.MkdirAll(filepath.Dir(filepath.Join(tree, path)), 0o755))
		hosttest.Must(d.t, os.WriteFile(filepath.Join(tree, path), []byte(content), 0o644))
	}
	put("DEBIAN/control", fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T <t@example.com>\nDescription: x\n",
		name, testVersion))
	put("usr/share/"+name+"/x", "x\n")
	if config != "" {
		put("DEBIAN/conffiles", config+"\n")
		put(config, "OF_THE_PACKAGE=\n")
	}
	hosttest.Must(d.t, os.MkdirAll(d.files, 0o755))
	file := fmt.Sprintf("%s_%s_all.deb", name, testVersion)
	hosttest.Run(d.t, "dpkg-deb", "--root-owner-group", "--build", tree, filepath.Join(d.files, file))
	raw, err := os.ReadFile(filepath.Join(d.files, file))
	hosttest.Must(d.t, err)
	sum := sha256.Sum256(raw)
	d.order.Files = append(d.order.Files, packages.File{Name: file, Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])})
}

// install is prep --install --from of the packages.
func (d *debian) install() {
	d.t.Helper()
	send := func(name string, to io.Writer) error {
		raw, err := os.ReadFile(filepath.Join(d.files, name))
		if err == nil {
			_, err = to.Write(raw)
		}
		return err
	}
	stage, err := install.Open(host.Local{}, send, d.t.Logf)
	hosttest.Must(d.t, err)
	defer func() { hosttest.Must(d.t, stage.Close()) }()
	needs := packages.Needs{}
	for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
		if d.status(name) != "installed" {
			needs.Kubernetes = append(needs.Kubernetes, name)
		}
	}
	needs.Brought, err = Host{}.Brought()
	hosttest.Must(d.t, err)
	p, err := stage.Plan(d.t.Context(), d.order, needs)
	hosttest.Must(d.t, err)
	_, err = Host{Packages: stage}.Recipe(prep.Installation(p)).Run(d.t.Context(), nil)
	hosttest.Must(d.t, err)
}

// held are the packages that are held.
func (d *debian) held() string {
	d.t.Helper()
	return strings.Join(strings.Fields(hosttest.Run(d.t, "apt-mark", "showhold")), " ")
}

// status is what dpkg says of a package: "installed", "config-files", or "not-installed".
func (d *debian) status(name string) string {
	d.t.Helper()
	said := hosttest.Script(d.t, `dpkg-query --show --showformat '${db:Status-Status}' -- `+name+` 2>/dev/null || echo not-installed`)
	return strings.TrimSpace(said)
}

// TestFilesAreInstalledByTheRealApt: a rehearsal that is another command than the one that
// is run proves nothing of it.
func TestFilesAreInstalledByTheRealApt(t *testing.T) {
	onDebian(t, func(t *testing.T, d debian) {
		t.Helper()
		d.install()
		for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
			if got := d.status(name); got != "installed" {
				t.Errorf("%s is %s", name, got)
			}
		}
		const all = "kubeadm kubectl kubelet"
		if d.held() != all {
			t.Errorf("held: %q", d.held())
		}
		// A run that was killed before it held them is finished by the next one.
		hosttest.Run(t, "apt-mark", "unhold", "kubeadm", "kubectl", "kubelet")
		d.install()
		if d.held() != all {
			t.Errorf("held by the next run: %q", d.held())
		}
	})
}

// undo is prep --undo; it returns why changes stayed.
func (d *debian) undo() (kept string) {
	d.t.Helper()
	done, err := Host{}.Undo(d.t.Context(), func(string, ...any) {})
	hosttest.Must(d.t, err)
	for _, u := range done {
		kept += u.Kept
	}
	return kept
}

// TestAnUndoLeavesWhatAPersonHasConfigured: a file that was there before the package, or was
// changed since, is a person's.
func TestAnUndoLeavesWhatAPersonHasConfigured(t *testing.T) {
	onDebian(t, func(t *testing.T, d debian) {
		t.Helper()
		const persons = "KUBELET_EXTRA_ARGS=--of-a-person\n"
		put := func(path string) { hosttest.Must(t, os.WriteFile(path, []byte(persons), 0o644)) }
		is := func(path, want string) {
			t.Helper()
			if raw, _ := os.ReadFile(path); string(raw) != want {
				t.Errorf("%s holds %q", path, raw)
			}
		}
		all := func(want string) {
			t.Helper()
			for _, name := range []string{"kubeadm", "kubectl"} {
				if got := d.status(name); got != "not-installed" {
					t.Errorf("%s is %s", name, got)
				}
			}
			if got := d.status("kubelet"); got != want {
				t.Errorf("kubelet is %s", got)
			}
		}

		d.install()
		if kept := d.undo(); kept != "" { // nothing of a person's is there
			t.Error(kept)
		}
		all("not-installed")
		is(kubeletConf, "")

		d.install()
		put(kubeletConf)
		if kept := d.undo(); !strings.Contains(kept, "changed since: "+kubeletConf) || strings.Contains(kept, adminConf) {
			t.Errorf("changed since: %q", kept)
		}
		all("config-files")
		is(kubeletConf, persons)
		is(adminConf, "")

		d.install() // over the configuration that is left, which is older now
		is(kubeletConf, persons)
		if kept := d.undo(); !strings.Contains(kept, kubeletConf) || !strings.Contains(kept, "there before") {
			t.Errorf("older: %q", kept)
		}
		all("config-files")
		is(kubeletConf, persons)
	})
}
