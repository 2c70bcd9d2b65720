// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// A user changes the home between the look and the removal: nothing but a copy of
// kubeadm's kubeconfig in that very home is deleted.
func TestAHomeThatChangesBetweenLookAndRemovalLosesNothing(t *testing.T) {
	const ca = "-----BEGIN CERTIFICATE-----\\nY2E=\\n-----END CERTIFICATE-----\\n" // for printf
	const admin = "clusters:\n- cluster:\n    certificate-authority-data: " +
		"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClkyRT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n"
	for _, tc := range []struct{ name, swap, want string }{
		{"nothing changes", ``, ""},
		{"its directory is a link to root's now",
			`rm -r home/ann/.kube; ln -s /root/.kube home/ann/.kube; ln -s ../../root/.kube home/ann/.kube2`, "stays"},
		{"its directory is a link to another place with such a name", `rm -r home/ann/.kube; ln -s ../../etc/selinux home/ann/.kube`, "stays"},
		{"the home itself is a link", `mv home/ann home/old; mkdir -p srv/x/.kube; cp home/old/.kube/config srv/x/.kube/; ln -s ../srv/x home/ann
chown -R 1234 srv/x`, "stays"},
		{"the file is a directory", `rm home/ann/.kube/config; mkdir home/ann/.kube/config; touch home/ann/.kube/config/tree`, "stays"},
		{"the file is a link", `mv home/ann/.kube/config home/ann/.kube/c; ln -s c home/ann/.kube/config`, "stays"},
		{"the file is a FIFO", `rm home/ann/.kube/config; mkfifo home/ann/.kube/config`, "stays"},
		{"the file is another one", `echo mine > home/ann/.kube/config`, "stays"},
		{"the file is another user's", `chown 1234 home/ann/.kube/config`, "stays"},
		{"the file is gone", `rm home/ann/.kube/config`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			hosttest.Script(t, "cd "+dir+`; mkdir -p etc/kubernetes/pki etc/selinux/config root/.kube home/ann/.kube
echo tree > etc/selinux/config/tree
printf -- '`+ca+`' > etc/kubernetes/pki/ca.crt; printf '`+admin+`' | tee etc/kubernetes/admin.conf home/ann/.kube/config > root/.kube/config
printf 'ann:x:`+"0"+`:0::/home/ann:/bin/sh\n' > etc/passwd`)
			target := Disk{Host: part.Host{Local: host.Local{Root: dir, Proc: "/proc/self"}}}
			var s part.Findings
			hosttest.Must(t, target.LookKubeconfigs(&s))
			if len(s.Goes()) != 1 {
				t.Fatalf("found %v", s.Items)
			}
			hosttest.Script(t, "cd "+dir+"\n"+tc.swap)
			_, before := os.Lstat(filepath.Join(dir, "home/ann/.kube/config"))
			err := target.discard(s.Goes()[0])
			if (err != nil) != (tc.want == "stays") {
				t.Errorf("got %v", err)
			}
			if _, after := os.Lstat(filepath.Join(dir, "home/ann/.kube/config")); tc.want == "stays" && (before == nil) != (after == nil) {
				t.Errorf("it was removed: %v, %v", before, after)
			}
			hosttest.Script(t, "cd "+dir+"; grep -q tree etc/selinux/config/tree; grep -q certificate-authority-data root/.kube/config")
		})
	}
}
