// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// The backups of renewals hold certificates and keys that are valid still, and so do the
// copies of one that was killed. They go with the credentials, and into no backup; the
// backups of earlier removals stay.
func TestWhatRenewalsOfCertificatesHaveKeptGoes(t *testing.T) {
	for name, keys := range map[string]bool{"no keys are kept": false, "keys are kept": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.choices.BackupKeys = keys
				w.join()
				w.script(`mkdir -p var/backups/kubectl-lifecycle/certs-1/etc/kubernetes/pki
					mkdir var/backups/kubectl-lifecycle/.unfinished-certs-2
					chmod 700 var/backups/kubectl-lifecycle; cd var/backups/kubectl-lifecycle
					echo key > certs-1/etc/kubernetes/pki/apiserver.key; echo older > w1-earlier.tar.gz
					cd ../../../etc/kubernetes; echo key > .kubectl-lifecycle-1-admin.conf; echo key > pki/.kubectl-lifecycle-1-apiserver.key`)
				verdict := w.remove()
				if verdict.State != inventory.Clean {
					w.Errorf("%+v", verdict)
				}
				if left := w.script(`find var/backups etc/kubernetes -name '*certs-*' -o -name '.kubectl-lifecycle*' || true`); left != "" {
					w.Errorf("left:\n%s", left)
				}
				if got := w.script("cat var/backups/kubectl-lifecycle/w1-earlier.tar.gz"); got != "older\n" {
					w.Errorf("the backup of an earlier removal: %q", got)
				}
				w.script("rm var/backups/kubectl-lifecycle/w1-earlier.tar.gz")
				for _, name := range w.inBackup() {
					if slices.Contains([]string{"var/backups", "etc/kubernetes/.kubectl-lifecycle-1-admin.conf"}, name) {
						w.Errorf("%s is in the backup", name)
					}
				}
			})
		})
	}
}
