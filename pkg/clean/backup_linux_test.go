// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// backups are the archives on the host.
func (w *world) backups() []string {
	w.Helper()
	found, err := filepath.Glob(w.dir + inventory.BackupDir + "/*")
	hosttest.Must(w.T, err)
	return found
}

// inBackup are the names in the only archive there is.
func (w *world) inBackup() []string {
	w.Helper()
	found := w.backups()
	if len(found) != 1 {
		w.Fatalf("backups: %v", found)
	}
	info, err := os.Stat(found[0])
	hosttest.Must(w.T, err)
	dir, err := os.Stat(w.dir + inventory.BackupDir)
	hosttest.Must(w.T, err)
	if info.Mode().Perm() != 0o600 || dir.Mode().Perm() != 0o700 {
		w.Errorf("%s is of mode %v, its directory of mode %v", found[0], info.Mode(), dir.Mode())
	}
	return strings.Fields(hosttest.Run(w.T, "tar", "-tzf", found[0]))
}

// A backup has what kubeadm and the network configured, and nothing of pods, of
// others, or from behind a mount; and it can be unpacked.
func TestConfigurationIsBackedUpBeforeItGoes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.choices.BackupKeys = true
		w.join()
		w.script(`mkdir etc/kubernetes/manifests/behind; mount --bind srv/data etc/kubernetes/manifests/behind
			ln -s kubelet.key var/lib/kubelet/pki/current; mkfifo etc/kubernetes/pki/pipe; head -c 2000000 /dev/zero > etc/kubernetes/pki/huge`)
		w.script("umount etc/kubernetes/manifests/behind; rmdir etc/kubernetes/manifests/behind")
		verdict := w.remove()
		want := []string{
			"etc/cni/net.d/10-flannel.conflist", "etc/kubernetes/kubelet.conf", "etc/kubernetes/pki/ca.crt", "var/lib/kubelet/config.yaml",
			"var/lib/kubelet/kubeadm-flags.env", "var/lib/kubelet/pki/current", "var/lib/kubelet/pki/kubelet.key",
		}
		if diff := cmp.Diff(want, w.inBackup()); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
		w.script(fmt.Sprintf("mkdir unpacked; tar -xzf %s -C unpacked", w.backups()[0]))
		if got := w.script("cat unpacked/var/lib/kubelet/pki/current unpacked/etc/kubernetes/kubelet.conf"); got != "key\n    server: "+
			"https://192.0.2.200:6443\n" {
			w.Errorf("unpacked: %q", got)
		}
		if at := w.target().Backup(); w.dir+at != w.backups()[0] ||
			!slices.Equal(but(verdict), []string{"/etc/kubernetes/pki/huge", "/etc/kubernetes/pki/pipe"}) {
			w.Errorf("%s, verdict %+v", at, verdict)
		}
	})
}

func TestABackupIsMadeOncePerRemoval(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		recipe := w.target().Recipe()
		at := slices.IndexFunc(recipe.IDs(), func(id string) bool { return id == "credentials" })
		recipe.Steps = recipe.Steps[:at]
		_, err := recipe.Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		before := w.inBackup()
		w.remove()
		if diff := cmp.Diff(before, w.inBackup()); diff != "" {
			w.Errorf("it was made again, of what was left:\n%s", diff)
		}
	})
}

func TestABackupWithoutKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		w.choices.NoKeys = true
		w.join()
		w.script(`printf -- '-----BEGIN EC PRIVATE KEY-----\n' > var/lib/kubelet/pki/kubelet.key
echo 'client-key-data: x' > etc/kubernetes/kubelet.conf`)
		w.remove()
		got := w.inBackup()
		if slices.Contains(got, "var/lib/kubelet/pki/kubelet.key") || slices.Contains(got, "etc/kubernetes/kubelet.conf") ||
			!slices.Contains(got, "etc/kubernetes/pki/ca.crt") {
			w.Errorf("in the backup: %v", got)
		}
	})
}

// What still opens the cluster has no business on a host that has left it.
func TestABackupOpensNothingUnlessThatIsChosen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`cd etc/kubernetes; mkdir -p pki/etcd; for f in ca sa front-proxy-ca etcd/ca apiserver-kubelet-client
do printf -- '-----BEGIN RSA PRIVATE KEY-----\n' > pki/$f.key; done
			for f in admin super-admin controller-manager; do printf 'users: [{user: {client-key-data: x}}]' > $f.conf; done
			printf 'kind: EncryptionConfiguration\nresources: [{providers: [{aescbc: {keys: [{name: a, secret: eA==}]}}]}]\n' > pki/encryption.yaml
			printf 'abc,admin,admin,"system:masters"\n' > pki/token.csv; base64 pki/ca.key > pki/ca.key.b64; tar -czf pki/pki.tgz pki/ca.key
			printf 'kind: Pod\n' > manifests/kube-apiserver.yaml; printf '{"users":[{"user":{"token":"x"}}]}' > ../cni/net.d/calico-kubeconfig
			printf -- '-----BEGIN PRIVATE KEY-----\n' > ../../var/lib/kubelet/pki/kubelet-client-2026-01-01.pem`)
		var told []string
		_, err := w.target().Recipe().Run(w.Context(), plan.ObserverFunc(func(e plan.Event) { told = append(told, e.Message) }))
		hosttest.Must(w.T, err)
		want := []string{
			"etc/cni/net.d/10-flannel.conflist", "etc/kubernetes/kubelet.conf", "etc/kubernetes/manifests/kube-apiserver.yaml",
			"etc/kubernetes/pki/ca.crt", "var/lib/kubelet/config.yaml", "var/lib/kubelet/kubeadm-flags.env",
		}
		if diff := cmp.Diff(want, w.inBackup()); diff != "" {
			w.Errorf("(-want +got):\n%s", diff)
		}
		for _, name := range []string{"encryption.yaml", "token.csv", "ca.key.b64", "pki.tgz"} { // which no one could make again
			if !w.exists("/etc/kubernetes/pki/" + name) {
				w.Errorf("%s is gone, and in no backup", name)
			}
		}
		for _, name := range []string{"/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/etcd/ca.key", "/etc/kubernetes/super-admin.conf",
			"/var/lib/kubelet/pki/kubelet-client-2026-01-01.pem"} {
			if !slices.ContainsFunc(told, func(line string) bool { return strings.HasPrefix(line, "not in the backup: "+name+" (") }) {
				w.Errorf("nobody is told that %s is left out: %q", name, told)
			}
		}
	})
}

func TestNoBackupIfThatIsChosen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.choices.NoBackup = true
		w.join()
		w.remove()
		if found := w.backups(); len(found) > 0 || w.target().Backup() != "" {
			w.Errorf("backups: %v", found)
		}
	})
}

func TestThePacketFilterCanBeLeftAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.choices.Firewall = inventory.FirewallNone
		w.join()
		rules := func() string {
			return w.script(`nft list ruleset | sed -E 's/packets [0-9]+ bytes [0-9]+//'
iptables-legacy-save | grep -v '^#' | sed -E 's/\[[0-9:]+\]//'`)
		}
		before := rules()
		verdict := w.remove()
		if diff := cmp.Diff(before, rules()); diff != "" {
			w.Errorf("(-before +after):\n%s", diff)
		}
		if verdict.State != inventory.Clean || w.exists("/etc/kubernetes/kubelet.conf") {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}

func TestChoicesThatAreNone(t *testing.T) {
	if err := (inventory.Choices{Firewall: "all"}).Validate(); err == nil {
		t.Error("it was taken")
	}
	for _, choice := range []inventory.Firewall{"", inventory.FirewallOwned, inventory.FirewallNone, inventory.FirewallFlush} {
		if err := (inventory.Choices{Firewall: choice}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

// A disk that is too full for the backup is met before anything is changed.
func TestThereIsRoomForTheBackupBeforeAnythingIsChanged(t *testing.T) {
	for name, tc := range map[string]struct {
		plant   string
		planned bool // it is known already when the plan is made
		because error
	}{
		"no room":   {"mount -t tmpfs -o size=4k tmpfs var/backups", true, syscall.ENOSPC},
		"no inodes": {"mount -t tmpfs -o nr_inodes=1 tmpfs var/backups", true, syscall.ENOSPC},
		"read-only": {"mount -t tmpfs -o ro tmpfs var/backups", true, syscall.EROFS},
		"too little room": {"mount -t tmpfs -o size=24k tmpfs var/backups; head -c 300000 /dev/urandom > " +
			"etc/kubernetes/pki/ca.crt", false, syscall.ENOSPC},
		"one inode, of two": {"mount -t tmpfs -o nr_inodes=2 tmpfs var/backups", false, syscall.ENOSPC},
		"behind a link, and full": {"mkdir srv/b; mount -t tmpfs -o size=4k tmpfs srv/b; rmdir var/backups; " +
			"ln -s ../srv/b var/backups", true, syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.plant)
				before := w.dump()
				if err := w.target().Objections(w.Context()); errors.Is(err, tc.because) != tc.planned {
					w.Errorf("when the plan is made: %v", err)
				}
				res, err := w.target().Recipe().Run(w.Context(), nil)
				if !errors.Is(err, tc.because) || !strings.Contains(plan.HintOf(err), "--no-backup") || plan.ClassOf(err) != plan.Refused {
					w.Errorf("error %v, hint %q", err, plan.HintOf(err))
				}
				if len(res.Done) > 0 || w.active != "active" {
					w.Errorf("done: %v; the kubelet is %s", res.Done, w.active)
				}
				w.same(before)
				w.choices.NoBackup = true
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Errorf("without a backup: %+v", verdict)
				}
			})
		})
	}
}
