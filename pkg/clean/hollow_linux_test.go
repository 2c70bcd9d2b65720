// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// linked puts a link in the place of each directory that a removal takes once it is empty,
// with what is in it behind the link.
const linked = `n=0; for d in etc/kubernetes/pki etc/kubernetes/manifests var/lib/kubelet/pki var/lib/cni/networks var/lib/cni/results \
	usr/libexec/kubernetes/kubelet-plugins/volume run/netns; do n=$((n+1)); mkdir -p srv/behind $d
	mv $d srv/behind/$n; ln -s $PWD/srv/behind/$n $d; done
`

// A removal has no way back once it deletes the credentials: nothing that may stay in the
// place of a directory keeps it from its end.
func TestALinkInThePlaceOfADirectoryThatGoesKeepsNoRemovalFromItsEnd(t *testing.T) {
	const whole = `mv etc/kubernetes srv/kubernetes; ln -s $PWD/srv/kubernetes etc/kubernetes; `
	for name, tc := range map[string]struct {
		older, younger string
		links          int
	}{
		"older than the join":        {older: linked + "born; old", links: 7},
		"younger than the join":      {younger: linked, links: 7},
		"the one above all, older":   {older: whole + "born; old", links: 1},
		"the one above all, younger": {younger: whole, links: 1},
		"to nothing, older":          {older: `rmdir etc/kubernetes/manifests; ln -s /gone etc/kubernetes/manifests; born; old`, links: 1},
		"to nothing, since the join": {
			younger: `umount run/netns/cni-*; rm -r etc/kubernetes/pki run/netns; ln -s /gone etc/kubernetes/pki; ln -s /gone run/netns`, links: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.older)
				w.join()
				w.script(tc.younger)
				verdict := w.remove()
				if verdict.State == inventory.Dirty {
					w.Errorf("verdict: %+v", verdict)
				}
				got := strings.Fields(w.script("find etc/kubernetes etc/kubernetes/ var usr run -type l '(' -lname '*/srv/*' -o -lname /gone ')'"))
				if len(got) < tc.links {
					w.Errorf("links that are left: %v", got)
				}
			})
		})
	}
}

// What a kubelet writes for logind goes with it, and the directory that it made; what a
// person wrote stays, and so does what was there before.
func TestWhatAKubeletToldLogindGoes(t *testing.T) {
	const wrote = `mkdir -p etc/systemd/logind.conf.d; printf '# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=60\n' ` +
		`> etc/systemd/logind.conf.d/99-kubelet.conf; `
	const dir, file = "/etc/systemd/logind.conf.d", "/etc/systemd/logind.conf.d/99-kubelet.conf"
	for name, tc := range map[string]struct {
		older, younger string
		but            []string
		left           string
	}{
		"of this kubelet":               {younger: wrote},
		"in a directory that was there": {older: "mkdir -p ." + dir, younger: wrote, left: dir + "\n"},
		"older than the join":           {older: wrote, left: dir + "\n" + file + "\n"},
		"beside a file of a person's":   {younger: wrote + "echo > ." + dir + "/a.conf", left: dir + "\n" + dir + "/a.conf\n"},
		"with a line of a person's within": {
			younger: wrote + "echo KillUserProcesses=yes >> ." + file, but: []string{"file " + file}, left: dir + "\n" + file + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.older + "\nborn; old")
				w.join()
				w.script(tc.younger)
				verdict := w.remove()
				if diff := cmp.Diff(tc.but, names(verdict.But)); diff != "" || verdict.State == inventory.Dirty {
					w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
				}
				if got := w.script("find ." + dir + " 2>/dev/null | cut -c2- | sort"); got != tc.left {
					w.Errorf("left: %q, want %q", got, tc.left)
				}
				told := false
				for _, verb := range w.ran {
					told = told || verb == "kill -s HUP systemd-logind.service"
				}
				if gone := !w.exists(file); told != gone {
					w.Errorf("logind was told: %v, the file is gone: %v", told, gone)
				}
			})
		})
	}
}

// The limit of bandwidth of a pod's that is left goes, and that of a person's stays.
func TestTheLimitsOfPodsBandwidthGo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("ip link add ifbmine type ifb")
		before := w.dump()
		w.join()
		w.script("mkdir -p run/calico; ip link add bwcali6514ff3bb type ifb; ip link add bwp0123456789ab type ifb")
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

// A company's own authorities make a bundle larger than an ordinary text: it is read.
func TestALargeBundleOfAuthoritiesIsRead(t *testing.T) {
	const large = `for i in $(seq 3000); do cat ca.other; done > bundle; `
	for name, tc := range map[string]struct{ plant, but string }{
		"foreign authorities":           {plant: large + "mv bundle etc/ssl.pem"},
		"with the cluster's at the end": {plant: large + "cat bundle ca.own > etc/ssl.pem", but: "/etc/ssl.pem"},
		"beyond all bounds":             {plant: large + "for i in $(seq 20); do cat bundle; done > etc/ssl.pem", but: "/etc/ssl.pem"},
		"what Debian's is made of": {
			plant: "d=usr/local/share/ca-certificates; mkdir -p $d; cp ca.own $d/kube-ca.crt", but: "/usr/local/share/ca-certificates/kube-ca.crt",
		},
		"what SUSE's is made of": {
			plant: "d=usr/share/pki/trust/anchors; mkdir -p $d; cp ca.own $d/kube.pem", but: "/usr/share/pki/trust/anchors/kube.pem",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("printf %s '" + clusterCA + "' > ca.own; printf %s '" + otherCA + "' > ca.other; " + tc.plant)
				verdict := w.remove()
				if got := strings.TrimPrefix(strings.Join(names(verdict.But), " "), "file "); got != tc.but {
					w.Errorf("verdict %s, named %q, want %q", verdict.State, got, tc.but)
				}
			})
		})
	}
}
