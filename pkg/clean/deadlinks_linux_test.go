// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Wherever a link of the host's leads to a dead server, directly or over another link: the
// look ends, and so does the removal, which says what it could not look at.
func TestALinkToADeadServerHoldsNothingUp(t *testing.T) {
	const calledClean = true // what it leads to never was this host's
	for name, tc := range map[string]struct {
		plant string
		keep  string
		clean bool
	}{
		"the homes": {"rm -rf home; ln -s /mnt/net/home home", "", calledClean},
		"one home in passwd": {
			"mkdir -p srv; echo 'ann:x:1000:1000::/srv/ann:/bin/sh' > etc/passwd; ln -s /mnt/net/ann srv/ann", "", calledClean,
		},
		"a home by a relative link": {
			"mkdir -p srv; echo 'ann:x:1000:1000::/srv/ann:/bin/sh' > etc/passwd; ln -s ../net/ann srv/ann", "", calledClean,
		},
		"passwd itself":                      {"rm -f etc/passwd; ln -s /mnt/net/passwd etc/passwd", "", !calledClean},
		"data that a pod keeps":              {"ln -s /mnt/net/data data", "/data", calledClean},
		"data below a directory that is one": {"ln -s /mnt/net/data data", "/data/deep/er", calledClean},
		"the logs":                           {"mv var/log var/log.old; ln -s /mnt/net/log var/log", "", !calledClean},
		"a network's directory, over two":    {"ln -s /mnt/srv/two var/lib/calico; ln -s /mnt/net/x srv/two", "", !calledClean},
		"the plugins of networks":            {"mv opt/cni/bin opt/cni/old; ln -s /mnt/net/bin opt/cni/bin", "", !calledClean},
		"kubeadm's certificates": {
			"mv etc/kubernetes/pki etc/kubernetes/old; ln -s /mnt/net/pki etc/kubernetes/pki", "", !calledClean,
		},
		"plugins of the kubelet's, over two": {
			"mkdir -p var/lib/kubelet; rm -rf var/lib/kubelet/plugins; ln -s /mnt/srv/two var/lib/kubelet/plugins; " +
				"ln -s /mnt/net/x srv/two", "", !calledClean,
		},
		"a file beside kubeadm's":   {"ln -s /mnt/net/x etc/kubernetes/theirs.conf", "", calledClean},
		"the kubelet's environment": {"mkdir -p etc/default; ln -s /mnt/net/x etc/default/kubelet", "", !calledClean},
		"fstab":                     {"rm -f etc/fstab; ln -s /mnt/net/x etc/fstab", "", !calledClean},
		"resolv.conf": {
			"umount etc/resolv.conf; rm etc/resolv.conf; ln -s /mnt/net/x etc/resolv.conf", "", calledClean,
		},
		"the backups":                    {"rm -rf var/backups; ln -s /mnt/net/x var/backups", "", !calledClean},
		"volume plugins":                 {"rm -rf usr/libexec/kubernetes; ln -s /mnt/net/x usr/libexec/kubernetes", "", calledClean},
		"a configuration of a network's": {"ln -s /mnt/net/x etc/cni/net.d/99-x.conf", "", calledClean},
		"all configurations of networks": {"mv etc/cni/net.d etc/cni/old; ln -s /mnt/net/x etc/cni/net.d", "", !calledClean},
		"etcd's data":                    {"ln -s /mnt/net/x var/lib/etcd", "", calledClean},
		"the machine's id":               {"ln -s /mnt/net/x etc/machine-id", "", !calledClean},
		"containerd's configuration":     {"mkdir -p etc/containerd; ln -s /mnt/net/x etc/containerd/config.toml", "", !calledClean},
		"the kubelet's own configuration": {
			"mkdir -p var/lib/kubelet; rm -f var/lib/kubelet/config.yaml; ln -s /mnt/net/x var/lib/kubelet/config.yaml", "", !calledClean,
		},
		"settings of the resolver":            {"mkdir -p etc/systemd; ln -s /mnt/net/x etc/systemd/resolved.conf", "", calledClean},
		"a directory of settings":             {"ln -s /mnt/net/x etc/sysctl.d", "", calledClean},
		"a directory that is searched, /srv":  {"rm -rf srv; ln -s /mnt/net/x srv", "", calledClean},
		"results of the standard CNI plugins": {"rm -rf var/lib/cni; ln -s /mnt/net/x var/lib/cni", "", !calledClean},
		"a directory of units": {
			"mkdir -p etc/systemd/system; ln -s /mnt/net/x etc/systemd/system/theirs.service", "", calledClean,
		},
		"the kubelet's credentials in a chain": {
			"mkdir -p var/lib/kubelet; ln -s /mnt/srv/one var/lib/kubelet/pki; ln -s two srv/one; ln -s /mnt/net/x srv/two", "", !calledClean,
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.stuck("/net")
				w.script(tc.plant)
				target := w.target()
				if tc.keep != "" {
					target.Facts.Keep = []string{tc.keep}
				}
				w.endsWithin(time.Minute, "the look", func() error {
					_, err := target.Survey(w.Context())
					return err
				})
				var before, after inventory.Inventory
				w.endsWithin(time.Minute, "the removal", func() (err error) {
					before, err = target.Survey(w.Context())
					hosttest.Must(w.T, err)
					if _, err = target.Recipe().Run(w.Context(), nil); err == nil {
						after, err = target.Survey(w.Context())
					}
					if plan.ClassOf(err) == plan.Refused && plan.HintOf(err) != "" {
						return nil
					}
					if err == nil && !tc.clean && inventory.Verify(before, after).State == inventory.Clean {
						return errors.New("called clean")
					}
					return err
				})
			})
		})
	}
}

// endsWithin fails if something does not end in time.
func (w *world) endsWithin(limit time.Duration, what string, do func() error) {
	w.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		if err != nil {
			w.Errorf("%s: %v", what, err)
		}
	case <-time.After(limit):
		w.Fatal(what + " hangs")
	}
}
