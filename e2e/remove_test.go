// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// plantEarly puts things of somebody else on a host before it joins: they are
// part of what it must look like afterwards, too.
const plantEarly = `set -e
for family in iptables ip6tables; do
  for backend in nft legacy; do
    $family-$backend -N ADMIN-SSH
    $family-$backend -A ADMIN-SSH -p tcp --dport 22 -j ACCEPT
    $family-$backend -I INPUT 1 -m comment --comment "not KUBE-anything, but ours" -j ADMIN-SSH
  done
done
nft -f - <<'NFT'
table inet admin {
	set friends { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.7 } }
	chain input {
		type filter hook input priority 10; policy accept;
		ip saddr @friends tcp dport 22 counter accept
	}
}
NFT
ip link add br-admin type bridge
ip address add 10.9.9.1/24 dev br-admin
ip link set br-admin up
ip route add 10.88.0.0/16 dev br-admin
ip rule add from 10.9.9.0/24 table 99
mkdir -p /srv/precious /srv/holder
head -c 100000 /dev/urandom >/srv/precious/data
`

// plantLate puts more there when the host is a node: rules among Kubernetes'
// own, and mounts below the kubelet's directory that lead elsewhere. The copy of
// /etc is what made kubeadm reset take away a host's own mounts. The kubelet takes
// directories of unknown pods away until something is mounted there.
const plantLate = `set -e
iptables-nft -t nat -I PREROUTING 1 -p tcp --dport 8443 -j REDIRECT --to-ports 443
iptables-nft -I FORWARD 2 -s 192.0.2.0/24 -m comment --comment "kubernetes forwarding is not this" -j DROP
iptables-nft -t mangle -A POSTROUTING -o br-admin -j RETURN
cd /var/lib/kubelet/pods
for attempt in 1 2 3 4 5; do
  mkdir -p e2e-planted/volumes/data && mount --bind /srv/precious e2e-planted/volumes/data && break
done
mountpoint -q e2e-planted/volumes/data
mkdir -p e2e-planted/volumes/etc
mount --rbind /etc e2e-planted/volumes/etc
`

// unplantLate takes away what plantLate made in chains that stay.
const unplantLate = `set -e
iptables-nft -t nat -D PREROUTING -p tcp --dport 8443 -j REDIRECT --to-ports 443
iptables-nft -D FORWARD -s 192.0.2.0/24 -m comment --comment "kubernetes forwarding is not this" -j DROP
iptables-nft -t mangle -D POSTROUTING -o br-admin -j RETURN
nft delete chain ip filter FORWARD
nft delete table ip mangle
`

// showPlanted prints what was planted, byte for byte but for counters.
const showPlanted = `for family in iptables ip6tables; do
  for backend in nft legacy; do $family-$backend-save | grep -E -- 'ADMIN-SSH|dport 8443|192.0.2.0|br-admin'; done
done
nft list table inet admin | sed 's/packets [0-9]* bytes [0-9]*//'
ip -d link show br-admin | sed 's/^[0-9]*: //; s/tcn_timer.*//; s/_timer *[0-9.]*//g'
ip address show br-admin | grep inet
ip route show 10.88.0.0/16
ip rule show table 99
sha256sum /srv/precious/data /etc/resolv.conf /etc/hosts /etc/hostname
`

// stageRemove is the removal with everything at once: an app under a budget,
// and things of others in every corner of the host.
func (b *bed) stageRemove(t *testing.T) {
	b.joined(t)
	b.deployWeb(t, b.blank)
	b.host(t, b.blank, plantLate)
	planted := b.host(t, b.blank, showPlanted)
	b.rehearsals(t)
	person := b.person(t)
	before := b.names(t, b.blank)
	fewest := b.watchReady(t, shop, "app=web")
	o := b.must(t, append([]string{"remove", b.blank, "--yes", "--timeout", "4m"}, person...)...)
	b.took("remove, its drain of 3 pods under a budget of 2 included", o.took)
	least, changes := fewest()
	b.budgetHeld(t, least, changes)
	if !strings.Contains(o.stdout, "node/"+b.blank+" removed") || !strings.Contains(o.stdout, "clean") {
		t.Errorf("stdout %q", o.stdout)
	}
	if after := b.host(t, b.blank, showPlanted); after != planted {
		t.Errorf("things of others were changed on the host:\nbefore:\n%s\nafter:\n%s", planted, after)
	}
	b.isBackedUp(t, o)
	b.host(t, b.blank, unplantLate)
	b.isGone(t, before)
	b.isPristine(t, b.blank, b.pristine)
	t.Run("again", b.removeAgain)
}

// isBackedUp: the archive that the removal tells of is there, for root alone,
// with what was configured.
func (b *bed) isBackedUp(t *testing.T, o outcome) {
	t.Helper()
	path := regexp.MustCompile(`/var/backups/kubectl-lifecycle/\S+\.tar\.gz`).FindString(o.stderr)
	if path == "" {
		t.Errorf("no backup is told of:\n%s", o.stderr)
		return
	}
	got := b.host(t, b.blank, "stat -c '%a %U' "+path+"; tar -tzf "+path)
	if !strings.HasPrefix(got, "600 root\n") || !strings.Contains(got, "etc/kubernetes/kubelet.conf\n") ||
		!strings.Contains(got, "etc/cni/net.d/10-flannel.conflist\n") {
		t.Errorf("%s: %s", path, got)
	}
}

// rehearsals: inspect and both dry runs change nothing, and name what is there.
func (b *bed) rehearsals(t *testing.T) {
	t.Helper()
	b.unchanged(t, b.blank, func() {
		o := b.run(t, 0, "remove", b.blank, "--dry-run=client")
		if !strings.Contains(o.stdout, "would be removed") {
			t.Errorf("stdout %q", o.stdout)
		}
	})
	b.unchanged(t, b.blank, func() {
		o := b.run(t, 0, "remove", b.blank, "--dry-run=server")
		for _, want := range []string{"cni0", "flannel.1", "KUBE-SERVICES", "/var/lib/kubelet/pods/e2e-planted/volumes/data",
			"/etc/kubernetes/kubelet.conf"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("the dry run does not name %s", want)
			}
		}
		for _, foreign := range []string{"ADMIN-SSH", "br-admin", "inet admin"} {
			if strings.Contains(o.stdout, foreign) {
				t.Errorf("the dry run would take away %s, which is somebody else's", foreign)
			}
		}
	})
	b.unchanged(t, b.blank, func() {
		o := b.run(t, 0, "inspect", b.blank, "-o", "json")
		var inventory struct {
			Items []struct{ Kind, Name, Owner, Fate string }
		}
		if err := json.Unmarshal([]byte(o.stdout), &inventory); err != nil {
			t.Fatalf("inspect -o json: %v", err)
		}
		fates := map[string]string{}
		for _, item := range inventory.Items {
			fates[item.Kind+" "+item.Name] = item.Fate
		}
		for thing, want := range map[string]string{
			"link cni0": "goes", "link flannel.1": "goes", "link br-admin": "stays", "link eth0": "stays",
			"unit kubelet.service": "goes", "file /etc/kubernetes/kubelet.conf": "goes",
		} {
			if fates[thing] != want {
				t.Errorf("inspect says %q of %s, want %q", fates[thing], thing, want)
			}
		}
	})
}

// isGone checks that the cluster has forgotten a removed node, and nothing else.
func (b *bed) isGone(t *testing.T, before objects) {
	t.Helper()
	if changed := before.changed(b.names(t, b.blank)); len(changed) > 0 {
		t.Errorf("the removal left or took away: %v", changed)
	}
	if b.node(t, b.blank) != nil {
		t.Errorf("node %s is still there", b.blank)
	}
	pods := b.kubectl(t, "", "get", "pods", "-A", "-o", "name", "--field-selector", "spec.nodeName="+b.blank)
	if pods != "" {
		t.Errorf("pods of the removed node are still there: %s", pods)
	}
	eventually(t, 60*time.Second, "the node's lease is gone", func() (bool, string) {
		_, err := b.client.CoordinationV1().Leases("kube-node-lease").Get(t.Context(), b.blank, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// removeAgain: an absent node is refused, or no error if that is said.
func (b *bed) removeAgain(t *testing.T) {
	b.refuses(t, b.blank, refusal{"an absent node", []string{"remove", b.blank, "--yes"}, 4, []string{b.blank, "--ignore-not-found"}, nil})
	b.unchanged(t, b.blank, func() {
		o := b.run(t, 0, "remove", b.blank, "--yes", "--ignore-not-found")
		o.says(t, "nothing to do")
	})
}

// stageRejoin: the host joins again and its pods' network works.
func (b *bed) stageRejoin(t *testing.T) {
	b.joined(t)
	b.crossNodes(t)
}
