// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// stageSSH: a host that no cluster has is prepared and joined over a real sshd, with
// the person's own client; nothing is trusted unasked, what was changed is taken back,
// and no secret is left.
func (b *bed) stageSSH(t *testing.T) {
	b.withNetwork(t)
	name := b.name + "-ssh"
	b.makeBlank(t, name)
	s := b.sshd(t, name)
	o := b.run(t, 4, "prep", "--ssh", "root@new")
	o.says(t, "Host key verification failed", "compare the fingerprint")
	s.trust(t)
	before := b.host(t, name, filesOfEtc)
	b.host(t, name, spoil)
	spoiled := b.host(t, name, filesOfEtc)

	o = b.run(t, 3, "prep", "--ssh", "root@new")
	o.shows(t, "PREP030-sysctl", "net.ipv4.ip_forward is 0", "PREP031-sysctl-at-boot", "/etc/sysctl.d/99-zzz.conf", "PREP041-cri",
		"PREP042-cgroup-driver", "nothing was changed")
	if now := b.host(t, name, filesOfEtc); now != spoiled {
		t.Errorf("a look has changed the host:\n%s", now)
	}
	b.run(t, 0, "prep", "--ssh", "root@new", "--yes").shows(t, "changes made")
	b.must(t, "prep", "--ssh", "root@new").shows(t, "checks")
	if config := b.host(t, name, "containerd config dump"); !strings.Contains(config, "SystemdCgroup = true") {
		t.Error("containerd's cgroup driver is not systemd's")
	}
	b.ears.joins++
	start := time.Now()
	marks := []string{"--role", "worker", "--labels", "example.com/rack=7", "--taints", "example.com/for=db:NoSchedule"}
	b.must(t, append([]string{"join", "--ssh", "root@new", "--timeout", "3m"}, marks...)...).shows(t, "joined")
	b.took("join --ssh", time.Since(start))
	node := b.node(t, name)
	if node == nil || !isReady(node) {
		t.Fatal("the node is not Ready")
	}
	_, worker := node.Labels["node-role.kubernetes.io/worker"]
	if !worker || node.Labels["example.com/rack"] != "7" || !slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.ToString() == "example.com/for=db:NoSchedule"
	}) {
		t.Errorf("labels %v, taints %v", node.Labels, node.Spec.Taints)
	}
	again := b.must(t, append([]string{"join", "--ssh", "root@new"}, marks...)...)
	again.shows(t, "already a node")
	again.says(t, "not needed: node "+name+" has them")
	b.noJoinToken(t, name)
	b.must(t, "remove", name, "--yes")
	b.controlPlaneBySSH(t, name)
	b.must(t, "prep", "--ssh", "root@new", "--undo", "--yes").shows(t, "undone")
	if now := b.host(t, name, filesOfEtc); now != spoiled {
		t.Errorf("the host is not as it was before prep; before\n%s\nnow\n%s", spoiled, now)
	}
	if before == spoiled {
		t.Error("nothing was spoiled: the test shows nothing")
	}
	s.changeKey(t)
	b.run(t, 4, "prep", "--ssh", "root@new").says(t, "was it installed again")
	s.trust(t)
	b.firstBySSH(t, name)
}

// controlPlaneBySSH makes the same host a control plane, and takes it out again.
func (b *bed) controlPlaneBySSH(t *testing.T, name string) {
	t.Helper()
	b.ears.joins++
	o := b.must(t, "join", "--control-plane", "--ssh", "root@new", "--timeout", "5m")
	b.took("join --control-plane --ssh", o.took)
	o.shows(t, "joined")
	if got := b.etcdMembers(t); len(got) != 2 || !slices.Contains(got, name) {
		t.Errorf("members of etcd: %v", got)
	}
	b.noJoinToken(t, name)
	if left := b.kubectl(t, "", "-n", "kube-system", "get", "secret/kubeadm-certs", "role/kubeadm:kubeadm-certs",
		"rolebinding/kubeadm:kubeadm-certs", "--ignore-not-found", "-o", "name"); left != "" {
		t.Errorf("left in the cluster: %s", left)
	}
	b.must(t, "remove", name, "--yes", "--force")
	if got := b.etcdMembers(t); len(got) != 1 {
		t.Errorf("members of etcd: %v", got)
	}
}

// shows fails the test unless all texts occur in what was written to stdout.
func (o outcome) shows(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.stdout, text) {
			t.Errorf("%v: stdout does not show %q:\n%s", o.args, text, o.stdout)
		}
	}
}

// spoil makes a host one that kubeadm would not take, or that would fail later.
const spoil = `set -e
printf 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n' | cat - /etc/containerd/config.toml > /run/config.toml
sed 's/SystemdCgroup = true/SystemdCgroup = false/' /run/config.toml > /etc/containerd/config.toml
systemctl restart containerd
sysctl -qw net.ipv4.ip_forward=0
printf 'net.ipv4.ip_forward = 0\n' > /etc/sysctl.d/99-zzz.conf
`

// filesOfEtc are the files that prep changes, with what they hold.
const filesOfEtc = `cd /etc && find containerd sysctl.d modules-load.d fstab hosts -type f | sort | xargs sha256sum
sysctl net.ipv4.ip_forward; ls -d /var/lib/kubectl-lifecycle* /run/kubectl-lifecycle* 2>/dev/null || true`

// noJoinToken looks for the token of a host that has joined by ssh where it must not
// be: in the cluster, on the host's disk, and in its journal.
func (b *bed) noJoinToken(t *testing.T, name string) {
	t.Helper()
	secrets := b.kubectl(t, "", "-n", "kube-system", "get", "secrets", "-l", "lifecycle.kubectl.io/join", "-o", "name")
	if strings.TrimSpace(secrets) != "" {
		t.Errorf("tokens are left: %s", secrets)
	}
	found := b.host(t, name, `journalctl -b --no-pager 2>/dev/null | grep -E '[a-z0-9]{6}\.[a-z0-9]{16}[^a-z0-9.]' | head -3
grep -rlE '(^|[^a-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}([^a-z0-9.]|$)' /etc/kubernetes /run/kubectl-lifecycle* /var/lib/kubectl-lifecycle* 2>/dev/null || true`)
	if strings.TrimSpace(found) != "" {
		t.Errorf("a token is on the host: %s", found)
	}
}

// sshd is a host's real OpenSSH server, and a client's configuration on this machine.
type sshd struct{ dir, address string }

// sshd starts OpenSSH's server on a host and puts a client first on the plugin's PATH
// that has a configuration of its own, as a person's ~/.ssh has.
func (b *bed) sshd(t *testing.T, name string) sshd {
	t.Helper()
	s := sshd{dir: t.TempDir(), address: strings.TrimSpace(b.host(t, name, "hostname -i | tr ' ' '\n' | grep -F . | head -1"))}
	fetch := "apt-get -qq -o APT::Sandbox::User=root download openssh-server openssh-sftp-server libwrap0"
	script := "set -e; cd " + s.dir + "; " + fetch + " || { apt-get update -qq; " + fetch + "; }\n" +
		"for p in *.deb; do dpkg -x $p root; done\n" +
		"ssh-keygen -q -t ed25519 -N '' -f id; ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f other\n" +
		"tar -C root -cf root.tar usr/sbin/sshd usr/lib; docker cp root.tar " + name + ":/root.tar; docker cp host " + name + ":/root/hostkey\n" +
		"docker cp id.pub " + name + ":/root/keys"
	if out, err := command(t, 2*time.Minute, "", "bash", "-c", script); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.host(t, name, `set -e
tar -C / -xf /root.tar; rm /root.tar; ldconfig; mkdir -p /run/sshd
chmod 600 /root/hostkey /root/keys; chown root:root /root/hostkey /root/keys
id sshd >/dev/null 2>&1 || echo 'sshd:x:499:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd
/usr/sbin/sshd -f /dev/null -o HostKey=/root/hostkey -o AuthorizedKeysFile=/root/keys -o PidFile=/run/sshd.pid -o UsePAM=no`)
	config := "Host new\n  HostName " + s.address + "\n  IdentityFile " + s.dir + "/id\n  UserKnownHostsFile " + s.dir + "/known\n" +
		"  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n"
	ssh := "#!/bin/sh\nexec /usr/bin/ssh -F " + s.dir + "/config \"$@\"\n"
	for file, content := range map[string]string{"config": config, "ssh": ssh, "known": ""} {
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", s.dir+":"+os.Getenv("PATH"))
	return s
}

// trust makes the host's key known, as a person does who has compared it.
func (s sshd) trust(t *testing.T) {
	t.Helper()
	s.know(t, "host.pub")
}

// changeKey makes another key known: the host is not the one that it was.
func (s sshd) changeKey(t *testing.T) {
	t.Helper()
	s.know(t, "other.pub")
}

func (s sshd) know(t *testing.T, file string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(key))
	line := s.address + " " + words[0] + " " + words[1] + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, "known"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
}
