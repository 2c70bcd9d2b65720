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
	for name, tc := range map[string]struct {
		plant string
		keep  string
	}{
		"the homes":                            {"rm -rf home; ln -s /mnt/net/home home", ""},
		"one home in passwd":                   {"mkdir -p srv; echo 'ann:x:1000:1000::/srv/ann:/bin/sh' > etc/passwd; ln -s /mnt/net/ann srv/ann", ""},
		"a home by a relative link":            {"mkdir -p srv; echo 'ann:x:1000:1000::/srv/ann:/bin/sh' > etc/passwd; ln -s ../net/ann srv/ann", ""},
		"passwd itself":                        {"rm -f etc/passwd; ln -s /mnt/net/passwd etc/passwd", ""},
		"data that a pod keeps":                {"ln -s /mnt/net/data data", "/data"},
		"data below a directory that is one":   {"ln -s /mnt/net/data data", "/data/deep/er"},
		"the logs":                             {"mv var/log var/log.old; ln -s /mnt/net/log var/log", ""},
		"a network's directory, over two":      {"ln -s /mnt/srv/two var/lib/calico; ln -s /mnt/net/x srv/two", ""},
		"the plugins of networks":              {"mv opt/cni/bin opt/cni/old; ln -s /mnt/net/bin opt/cni/bin", ""},
		"kubeadm's certificates":               {"mv etc/kubernetes/pki etc/kubernetes/old; ln -s /mnt/net/pki etc/kubernetes/pki", ""},
		"plugins of the kubelet's, over two":   {"mkdir -p var/lib/kubelet; ln -s /mnt/srv/two var/lib/kubelet/plugins; ln -s /mnt/net/x srv/two", ""},
		"a file beside kubeadm's":              {"ln -s /mnt/net/x etc/kubernetes/theirs.conf", ""},
		"the kubelet's environment":            {"mkdir -p etc/default; ln -s /mnt/net/x etc/default/kubelet", ""},
		"fstab":                                {"ln -sf /mnt/net/x etc/fstab", ""},
		"resolv.conf":                          {"umount etc/resolv.conf; rm etc/resolv.conf; ln -s /mnt/net/x etc/resolv.conf", ""},
		"the backups":                          {"rm -rf var/backups; ln -s /mnt/net/x var/backups", ""},
		"volume plugins":                       {"rm -rf usr/libexec/kubernetes; ln -s /mnt/net/x usr/libexec/kubernetes", ""},
		"a configuration of a network's":       {"ln -s /mnt/net/x etc/cni/net.d/99-x.conf", ""},
		"all configurations of networks":       {"mv etc/cni/net.d etc/cni/old; ln -s /mnt/net/x etc/cni/net.d", ""},
		"etcd's data":                          {"ln -s /mnt/net/x var/lib/etcd", ""},
		"the machine's id":                     {"ln -s /mnt/net/x etc/machine-id", ""},
		"the names of network namespaces":      {"mv run/netns run/old; ln -s /mnt/net/x run/netns", ""},
		"containerd's configuration":           {"mkdir -p etc/containerd; ln -s /mnt/net/x etc/containerd/config.toml", ""},
		"the kubelet's own configuration":      {"mkdir -p var/lib/kubelet; ln -sf /mnt/net/x var/lib/kubelet/config.yaml", ""},
		"settings of the resolver":             {"mkdir -p etc/systemd; ln -s /mnt/net/x etc/systemd/resolved.conf", ""},
		"a directory of settings":              {"ln -s /mnt/net/x etc/sysctl.d", ""},
		"a directory that is searched, /srv":   {"rm -rf srv; ln -s /mnt/net/x srv", ""},
		"results of the standard CNI plugins":  {"rm -rf var/lib/cni; ln -s /mnt/net/x var/lib/cni", ""},
		"a directory of units":                 {"mkdir -p etc/systemd/system; ln -s /mnt/net/x etc/systemd/system/theirs.service", ""},
		"the kubelet's credentials in a chain": {"mkdir -p var/lib/kubelet; ln -s /mnt/srv/one var/lib/kubelet/pki; ln -s two srv/one; ln -s /mnt/net/x srv/two", ""},
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
					return errors.Join(err)
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
					if err == nil && inventory.Verify(before, after).State == inventory.Clean && !unimportant(name) {
						return errors.New("called clean")
					}
					return err
				})
			})
		})
	}
}

// unimportant are links to files that a person gave the host, which never were the
// cluster's and are read for what they say of others.
func unimportant(string) bool { return false }

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
