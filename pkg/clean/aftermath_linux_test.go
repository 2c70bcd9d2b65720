// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// An installer points the host's own name resolution at the cluster's DNS, and iscsid
// logs in to Services: with the cluster gone, nothing answers there, and the host has no
// names (kubernetes-sigs/kubespray#9054, #11440; openebs/openebs#185). A proxy on the host
// to which its kubeconfig leads knows the API servers (kubernetes-sigs/kubespray#1503).
func TestSettingsThatNameTheClustersAddressesAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("printf 'clusterDNS:\\n- 169.254.25.10\\n' > var/lib/kubelet/config.yaml")
		w.put("/etc/systemd/resolved.conf", "[Resolve]\nDNS=169.254.25.10")
		w.put("/etc/dhcp/dhclient.conf", "supersede domain-name-servers 10.96.0.10;")
		w.put("/etc/iscsi/nodes/iqn.2016-09.com.openebs.jiva:pvc/10.96.168.19,3260,1/default", "node.conn[0].address = 10.96.168.19")
		w.put("/etc/netplan/01-mine.yaml", "nameservers: {addresses: [192.0.2.53]}")
		w.script("echo 'nameserver 10.96.0.10' >> etc/resolv.conf; echo '    server: https://127.0.0.1:6443' > etc/kubernetes/kubelet.conf")
		w.put("/etc/nginx/nginx.conf", "upstream kube_apiserver { server 192.0.2.201:6443; }") // what kubelet.conf leads to
		target := w.target()
		target.Facts.APIServers = []string{"https://192.0.2.201:6443"}
		target.Facts.ServiceCIDRs = []string{"10.96.0.0/12"}
		before, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		_, err = target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		after, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		verdict := inventory.Verify(before, after)
		got := map[string]string{}
		for _, it := range verdict.But {
			got[it.Name] = it.Refers
		}
		for path, want := range map[string]string{
			"/etc/systemd/resolved.conf": "this host asks the cluster's DNS at 169.254.25.10 for names",
			"/etc/nginx/nginx.conf":      "its endpoint 192.0.2.201:6443",
			"/etc/dhcp/dhclient.conf":    "this host asks a Service of the cluster at 10.96.0.10 for names",
			"/etc/resolv.conf":           "this host asks a Service of the cluster at 10.96.0.10 for names",
			"/etc/iscsi/nodes/iqn.2016-09.com.openebs.jiva:pvc/10.96.168.19,3260,1/default": "iscsid logs in to a Service of the cluster at " +
				"10.96.168.19",
		} {
			if got[path] != want {
				w.Errorf("%s: it says %q", path, got[path])
			}
		}
		if verdict.State != inventory.CleanBut || got["/etc/netplan/01-mine.yaml"] != "" {
			w.Errorf("the verdict is %s: %v", verdict.State, got)
		}
	})
}

// blockVolume is a block volume as a kubelet has it: bound to a path of its own, and kept
// open by a loop device (pkg/volume/util/volumepathhandler).
const blockVolume = `truncate -s 8M srv/lun; L=$(losetup -f --show srv/lun)
d=var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/pvc-1/dev; mkdir -p $d; touch $d/u1; mount --bind $L $d/u1; losetup -f $d/u1
echo $L`

// A kubelet that is stopped before it has torn a block volume down leaves its loop
// device, and the volume cannot be unmounted (kubernetes/kubernetes#102408, #109132).
func TestALoopDeviceThatKeepsABlockVolumeIsDetached(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		lun := strings.TrimSpace(w.script(blockVolume))
		defer w.script("for f in $(grep -l volumeDevices/pvc-1 /sys/block/loop*/loop/backing_file); do losetup -d /dev/$(echo $f | cut -d/ " +
			"-f4); done; losetup -d " + lun)
		var seen []string
		for _, it := range w.survey().Items {
			if it.Kind == inventory.KindLoop {
				seen = append(seen, string(it.Fate)+" "+it.In)
			}
		}
		if strings.Join(seen, "\n") != "goes /var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/pvc-1/dev/u1" {
			w.Errorf("it sees %q", seen)
		}
		if v := w.remove(); v.State != inventory.Clean {
			w.Errorf("the verdict is %+v", v)
		}
		if got := w.script("losetup -n -O BACK-FILE " + lun); !strings.HasSuffix(strings.TrimSpace(got), "/srv/lun") {
			w.Errorf("the volume's own device is gone: %q", got)
		}
		if got := w.script("grep -l volumeDevices/pvc-1 /sys/block/loop*/loop/backing_file || true"); got != "" {
			w.Errorf("a loop device still keeps it: %s", got)
		}
	})
}

// A loop device on a file of a volume is somebody's: it is named, and stays.
func TestALoopDeviceOnAFileOfAVolumeIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		mine := strings.TrimSpace(w.script("truncate -s 8M var/lib/kubelet/pods/u1/volumes/secret/image; losetup -f --show " +
			"var/lib/kubelet/pods/u1/volumes/secret/image"))
		_, err := w.target().Recipe().Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), mine+" (a loop device on ") || strings.Contains(err.Error(), "no process") {
			w.Errorf("it says %v", err)
		}
		w.script("losetup -d " + mine)
		if v := w.remove(); v.State != inventory.Clean {
			w.Errorf("the verdict is %+v", v)
		}
	})
}

// NodeLocal DNSCache's rules, whose link is gone, are its own where the kubelet sends
// pods to a link-local address, whichever it is (kubernetes/dns#690); a person's rule
// with such a comment is not, where it does not.
func TestRulesOfNodeLocalDNSCacheAreToldByTheKubeletsAddress(t *testing.T) {
	const rule = "INPUT -d 169.254.25.10/32 -p udp -m udp --dport 53 -m comment --comment 'NodeLocal DNS Cache: allow DNS traffic' -j ACCEPT"
	for dns, goes := range map[string]bool{"169.254.25.10": true, "10.96.0.10": false} {
		t.Run(dns, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("iptables-nft -A " + rule + "; printf 'clusterDNS:\\n- " + dns + "\\n' > var/lib/kubelet/config.yaml")
				if v := w.remove(); v.State != inventory.Clean {
					w.Errorf("the verdict is %+v", v)
				}
				if left := w.script("iptables-nft -S INPUT 2>/dev/null | grep -c NodeLocal || true"); (strings.TrimSpace(left) == "0") != goes {
					w.Errorf("%s rules are left", strings.TrimSpace(left))
				}
			})
		})
	}
}

// Longhorn has iscsid log in to a pod, and mirrors of images are Services, pods or ports of
// nodes (longhorn/longhorn#7386, spegel-org/spegel#767): the next cluster waits for them.
func TestWhatTheHostItselfGoesOnToAskInTheClusterIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p srv/certs; born; old")
		w.join()
		w.put("/etc/iscsi/nodes/iqn.2019-10.io.longhorn:pvc/10.244.2.7,3260,1/default", "node.conn[0].address = 10.244.2.7")
		w.put("/etc/containerd/certs.d/registry.corp/hosts.toml", "server = 'https://registry.corp'\n[host.\"http://10.96.77.5:5000\"]")
		w.put("/etc/containerd/certs.d/_default/hosts.toml", `[host."http://192.0.2.10:30020"]`)
		w.put("/srv/certs/quay.io/hosts.toml", `[host."http://10.244.1.9"]`)
		w.put("/etc/containerd/config.toml", "imports = ['/srv/more.toml']\n"+
			"[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/srv/certs'")
		w.put("/srv/more.toml", "[plugins.cri.registry.mirrors.'docker.io']\nendpoint = ['http://mirror.infra.svc.cluster.local']")
		w.put("/srv/daemon.json", `{"registry-mirrors": ["http://10.96.77.6"]}`)
		w.script("mkdir -p etc/docker; ln -s ../../srv/daemon.json etc/docker/daemon.json")
		w.script("ln -s loop etc/environment; ln -s environment etc/loop")
		w.put("/etc/systemd/system/containerd.service.d/proxy.conf", "[Service]\nEnvironment=\"NO_PROXY=10.96.0.1,10.244.2.7\"")
		w.put("/etc/hosts", "10.244.200.9 beside.docker0\n192.0.2.11 a.node")
		target := w.target()
		target.Facts.ServiceCIDRs = []string{"10.96.0.0/16"}
		before, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		_, err = target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		after, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		verdict := inventory.Verify(before, after)
		want := []string{
			"file /etc/containerd/certs.d/_default/hosts.toml", "file /etc/containerd/certs.d/registry.corp/hosts.toml",
			"file /etc/docker/daemon.json",
			"file /etc/iscsi/nodes/iqn.2019-10.io.longhorn:pvc/10.244.2.7,3260,1/default",
			"file /srv/certs/quay.io/hosts.toml", "file /srv/more.toml",
		}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}
