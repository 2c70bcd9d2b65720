// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"
)

// plantRoot gives the kubelet another root, and puts things of a person's beside what
// it makes: a bind mount of /etc/fstab's, a profile, and a disk of the pods' own.
const plantRoot = `set -e
mkdir -p /srv/disk /srv/theirs /data/kubelet/theirs /var/lib/kubelet/theirs /var/lib/kubelet/seccomp
echo precious >/srv/theirs/file; echo profile >/var/lib/kubelet/seccomp/profile.json; echo '{"auths":{}}' >/data/kubelet/config.json
for at in /data/kubelet/theirs /var/lib/kubelet/theirs; do
  mount --bind /srv/theirs $at
  echo "/srv/theirs $at none bind 0 0" >>/etc/fstab
done
systemctl stop kubelet
cp -a /etc/default/kubelet /srv/kubelet.was
sed -i 's,^KUBELET_EXTRA_ARGS=,&--root-dir=/data/kubelet ,' /etc/default/kubelet
grep -q root-dir /etc/default/kubelet
systemctl start kubelet
`

// unplantRoot takes it away again, once the host has left the cluster.
const unplantRoot = `set -e
umount /data/kubelet/theirs /var/lib/kubelet/theirs
sed -i /theirs/d /etc/fstab
systemctl daemon-reload
cp -a /srv/kubelet.was /etc/default/kubelet
rm -r /srv/disk /srv/theirs /srv/kubelet.was /data /var/lib/kubelet
`

// stageDisk: a kubelet's root is where its arguments say, and what a person has put
// beside what it makes stays.
func (b *bed) stageDisk(t *testing.T) {
	b.joined(t)
	b.host(t, b.blank, plantRoot)
	eventually(t, time.Minute, "pods have their tokens below the new root", func() (bool, string) {
		got := b.host(t, b.blank, "grep -c /data/kubelet/pods/ /proc/1/mountinfo || true")
		return strings.TrimSpace(got) != "0" && isReady(b.node(t, b.blank)), got
	})
	b.host(t, b.blank, "mkdir -p /data/kubelet/plugins && mount --bind /srv/disk /data/kubelet/plugins")
	b.run(t, 4, "remove", b.blank, "--yes").says(t, "/data/kubelet/plugins is a mount of an administrator's", "unmount it")
	b.host(t, b.blank, "umount /data/kubelet/plugins")
	if b.node(t, b.blank).Spec.Unschedulable {
		t.Error("a removal that was refused has cordoned the node")
	}
	o := b.must(t, "remove", b.blank, "--yes", "--force", "--delete-emptydir-data")
	if !strings.Contains(o.stdout, "clean") {
		t.Errorf("stdout %q", o.stdout)
	}
	const want = "/data/kubelet\nconfig.json\ntheirs\n/var/lib/kubelet\nseccomp\ntheirs\nprecious\nprecious\nprofile\n2\n"
	got := b.host(t, b.blank, `for d in /data/kubelet /var/lib/kubelet; do echo $d; ls $d; done
cat /data/kubelet/theirs/file /var/lib/kubelet/theirs/file /var/lib/kubelet/seccomp/profile.json
grep -cE ' (/data|/var/lib)/kubelet/' /proc/1/mountinfo`)
	if got != want {
		t.Errorf("on the host is\n%s\nwant\n%s", got, want)
	}
	b.host(t, b.blank, unplantRoot)
	b.isPristine(t, b.blank, b.pristine)
}
