// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What a person has put among the static pods and the networks' configurations goes with the
// kubelet and the network that use it, if a backup has it, and is named; else it stays.
func TestWhatAPersonPutAmongStaticPodsAndConfigurationsGoesOnlyIfABackupHasIt(t *testing.T) {
	const proxy = `printf 'kind: Pod\nmetadata: {name: haproxy}\nspec: {containers: [{name: x, image: x}]}\n' > FILE`
	for name, tc := range map[string]struct {
		put, file string
		choices   inventory.Choices
		stays     bool
		backedUp  bool
	}{
		"a proxy":                 {put: proxy, file: "etc/kubernetes/manifests/haproxy.yaml", backedUp: true},
		"under kubeadm's name":    {put: proxy, file: "etc/kubernetes/manifests/kube-scheduler.yaml", backedUp: true},
		"hidden from the kubelet": {put: "echo 'kind: Pod' > FILE", file: "etc/kubernetes/manifests/.mine", backedUp: true},
		"no backup is wanted":     {put: proxy, file: "etc/kubernetes/manifests/haproxy.yaml", choices: inventory.Choices{NoBackup: true}},
		"a token in it":           {put: proxy + "; echo 'token: hunter2' >> FILE", file: "etc/kubernetes/manifests/a.yaml", stays: true},
		"a token, and keys are asked": {backedUp: true, choices: inventory.Choices{BackupKeys: true},
			put: proxy + "; echo 'token: hunter2' >> FILE", file: "etc/kubernetes/manifests/a.yaml"},
		"of no known form":       {put: "echo hunter2 > FILE", file: "etc/kubernetes/manifests/notes", stays: true},
		"too large for a backup": {put: "head -c 2000000 /dev/zero > FILE", file: "etc/kubernetes/manifests/core", stays: true},
		"a directory": {put: "mkdir -p etc/kubernetes/manifests/old; echo x > FILE",
			file: "etc/kubernetes/manifests/old/x", stays: true},
		"a plugin that no network has": {put: `printf '{"name":"cbr0","plugins":[{"type":"flannel"},{"type":"mine"}]}' > FILE`,
			file: "etc/cni/net.d/10-flannel.conflist", backedUp: true},
		"a network's plugin under a name of a person's": {put: `printf '{"name":"cbr0","plugins":[{"type":"flannel"}]}' > FILE`,
			file: "etc/cni/net.d/05-mine.conflist", backedUp: true},
		"the same with a password": {put: `printf '{"name":"cbr0","password":"x","plugins":[{"type":"flannel"}]}' > FILE`,
			file: "etc/cni/net.d/05-mine.conflist", stays: true},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.choices = tc.choices
				w.script(strings.ReplaceAll(tc.put, "FILE", tc.file))
				is := func(it inventory.Item) bool { return strings.HasPrefix("/"+tc.file, it.Name) }
				for _, it := range inventory.Decide(w.survey()).Objects {
					if is(it) && it.Manner == "" && (it.Personal == "" || tc.stays) {
						w.Errorf("before: %+v", it)
					}
				}
				verdict := w.remove()
				if w.exists("/"+tc.file) != tc.stays || slices.ContainsFunc(verdict.But, is) != tc.stays ||
					slices.ContainsFunc(verdict.Personal, is) == tc.stays || !verdict.State.Done() {
					w.Errorf("there %v, verdict %s, but %v, personal %v, remaining %v", w.exists("/"+tc.file), verdict.State, verdict.But,
						verdict.Personal, verdict.Remaining)
				}
				out, _ := exec.CommandContext(w.Context(), "sh", "-c", "tar -tzf "+w.dir+"/var/backups/kubectl-lifecycle/*.tar.gz").Output()
				if has := strings.Contains(string(out), tc.file+"\n"); has != tc.backedUp {
					w.Errorf("in the backup: %v, which has %s", has, out)
				}
			})
		})
	}
}

// In the directory of Calico's driver only the driver is Calico's: others use it, too.
func TestADriverBesideCalicosStays(t *testing.T) {
	for name, theirs := range map[string]string{
		"a program": "touch $d/mine", "a directory": "mkdir $d/more; touch $d/more/x",
		"a link": "ln -s /srv/data/file $d/mine", "nothing": "true",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("d=usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds; mkdir $d; touch $d/uds $d/.uds; " + theirs)
				verdict := w.remove()
				left := w.script("find usr -path '*nodeagent~uds/*' | wc -l; ls -d usr/libexec/kubernetes 2>/dev/null || true")
				if gone := name == "nothing"; strings.HasPrefix(left, "0\n") != gone || strings.Contains(left, "usr/libexec") == gone ||
					w.exists("/usr/libexec/kubernetes/kubelet-plugins/volume/exec/nodeagent~uds/uds") {
					w.Errorf("verdict %s, left %s", verdict.State, left)
				}
			})
		})
	}
}

// A directory of a network's that another program makes again ends no cleaning of a node either.
func TestADirectoryThatIsMadeAgainEndsNoCleaningOfANetwork(t *testing.T) {
	for name, tc := range map[string]struct {
		put  string
		want inventory.State
	}{"empty": {"", inventory.Clean}, "with something in it": {"/mine", inventory.CleanBut}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("mkdir -p var/lib/cilium; touch var/lib/cilium/x; mkdir -p run/cilium")
				before, err := w.scoped(inventory.Cilium).Survey(w.Context())
				hosttest.Must(w.T, err)
				_, err = w.scoped(inventory.Cilium).NetworkRecipe(false).Run(w.Context(), makesAgain(w, "/run/cilium"+tc.put))
				hosttest.Must(w.T, err)
				after, err := w.scoped(inventory.Cilium).Survey(w.Context())
				hosttest.Must(w.T, err)
				if verdict := inventory.Verify(before, after); verdict.State != tc.want || !w.exists("/run/cilium"+tc.put) {
					w.Errorf("%s, remaining %v, but %v", verdict.State, verdict.Remaining, verdict.But)
				}
			})
		})
	}
}
