// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Each of these took something away from somebody, by a tool that is in use.
// Here it has to survive, and the host has to be clean all the same.
func TestThePublishedDisasters(t *testing.T) {
	for _, disaster := range []struct {
		name, plant, unplant string
	}{
		{
			name:    "eks-hybrid#664: a DaemonSet's pod has the host's /etc as a volume",
			plant:   "mkdir -p $v/host-etc; mount --bind etc $v/host-etc",
			unplant: "",
		}, {
			name: "eks-hybrid#664: the host's / as a subPath, with everything that is mounted in it",
			plant: "mkdir -p var/lib/kubelet/pods/u2/volume-subpaths/root/agent/0; mount --rbind srv " +
				"var/lib/kubelet/pods/u2/volume-subpaths/root/agent/0",
		}, {
			name: "the test bed: an rbind of /etc with shared propagation takes /etc/resolv.conf's mount with it",
			plant: `mount --make-rshared .; mkdir -p $v/shared-etc; mount --rbind etc $v/shared-etc; mount --make-rshared $v/shared-etc
				test $(grep -c resolv.conf /proc/self/mountinfo) -ge 2`,
		}, {
			name: "k3s#3264: a CSI volume is mounted below plugins/",
			plant: `g=var/lib/kubelet/plugins/kubernetes.io/csi/nfs.csi.k8s.io/0af/globalmount; mkdir -p $g; mount --bind srv/data $g
				mkdir -p $v/../kubernetes.io~csi/pv1/mount; mount --bind $g $v/../kubernetes.io~csi/pv1/mount`,
		}, {
			name:  "csi-driver-smb#747, kubeadm#2923: a volume of the same file system, over another",
			plant: "mkdir -p $v/over; mount -t tmpfs t $v/over; mount --bind srv/data $v/over; mount --bind srv/data $v/over",
		}, {
			name:  "k0s: links out of the directory, to a file and to a directory",
			plant: "ln -s $PWD/srv/data $v/out; ln -s $PWD/srv/data/file $v/file; ln -s / $v/root",
		}, {
			name:  "k0s: a directory that nobody may enter, with a mount in it",
			plant: "mkdir -p $v/shut/inner; mount --bind srv/data $v/shut/inner; chmod 000 $v/shut",
		}, {
			name:  "k8s#120376: names with spaces and newlines",
			plant: "mkdir -p \"$v/a b\" \"$v/c\nd\"; mount --bind srv/data \"$v/a b\"; mount --bind srv/data \"$v/c\nd\"",
		}, {
			name: "k8s#137494: a kubelet's root that is a shared mount shows every mount twice",
			plant: "mkdir -p shadow; mount --bind var/lib/kubelet var/lib/kubelet; mount --make-rshared var/lib/kubelet; mount -t tmpfs t $v; " +
				"umount -l var/lib/kubelet; mkdir -p $v; rmdir shadow",
		},
	} {
		t.Run(strings.ReplaceAll(disaster.name, "/", "∕"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				before := w.dump()
				w.join()
				w.script("v=var/lib/kubelet/pods/u1/volumes; mkdir -p $v\n" + disaster.plant)
				if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
					w.Errorf("verdict: %+v", verdict)
				}
				w.same(before)
			})
		})
	}
}

// firewalls are chains of those whose hosts were shut, or opened, by a flush
// (kubespray#1229, #5812, #6119, k3s#7736, #8795).
const firewalls = `
for i in iptables-nft iptables-legacy ip6tables-nft; do
$i -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT; $i -A INPUT -i lo -j ACCEPT; $i -P INPUT DROP
$i -P FORWARD DROP
for c in DOCKER DOCKER-ISOLATION-STAGE-1 ufw-before-input f2b-nginx LIBVIRT_INP LIBVIRT_FWO ts-input ts-forward; do $i -N $c; done
$i -A FORWARD -j DOCKER-ISOLATION-STAGE-1; $i -A DOCKER-ISOLATION-STAGE-1 -i docker0 -j RETURN
$i -A INPUT -j ufw-before-input; $i -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
$i -I INPUT -p tcp -m multiport --dports 80,443 -j f2b-nginx; $i -A f2b-nginx -j RETURN
$i -A INPUT -j LIBVIRT_INP; $i -A LIBVIRT_INP -i virbr0 -p udp --dport 53 -j ACCEPT; $i -A FORWARD -j LIBVIRT_FWO
$i -I INPUT -j ts-input; $i -I FORWARD -j ts-forward; $i -A ts-forward -i tailscale0 -j MARK --set-xmark 0x40000/0xff0000
$i -t nat -N DOCKER; $i -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
$i -t nat -A DOCKER -p tcp --dport 8080 -j REDIRECT --to-ports 80
$i -t nat -N ts-postrouting; $i -t nat -A POSTROUTING -j ts-postrouting
$i -t mangle -A PREROUTING -p tcp --dport 9 -m comment --comment "not KUBE-SERVICES nor cali:abc" -j MARK --set-mark 0x1
done
nft add table inet firewalld; nft 'add chain inet firewalld filter_INPUT { type filter hook input priority 10; policy accept; }'
nft 'add rule inet firewalld filter_INPUT ct state invalid drop'
`

func TestFirewallsOfOthersSurviveByteForByte(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(firewalls)
		before := w.dump()
		w.join()
		if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}
