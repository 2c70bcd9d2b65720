// SPDX-License-Identifier: Apache-2.0

//go:build vm

package clean_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What others balance with IPVS: a web server's address, a node port's number at
// an address of theirs and at one of the host's that kube-proxy is told to leave
// alone, and a firewall mark.
const foreignVirtuals = `modprobe ip_vs; mkdir -p proc; mount --rbind /proc proc
ipvsadm -A -t 192.0.2.50:80 -s wlc -p 50; ipvsadm -a -t 192.0.2.50:80 -r 192.0.2.60:80 -m
ip addr add 203.0.113.9/32 dev lo; ipvsadm -A -t 203.0.113.9:30001 -s rr
ipvsadm -A -t 192.0.2.50:30001 -s rr; ipvsadm -A -f 7 -s rr; ipvsadm -A -t [2001:db8::50]:443 -s rr`

// What kube-proxy makes: its link with the services' addresses, and a virtual
// service for each; node ports at every address of the host.
const proxyVirtuals = `ip link add kube-ipvs0 type dummy; for a in 10.96.0.1 10.96.0.10 198.51.100.7; do ip addr add $a/32 dev kube-ipvs0
done
ipvsadm -A -t 10.96.0.1:443 -s rr; ipvsadm -a -t 10.96.0.1:443 -r 192.0.2.10:6443 -m; ipvsadm -A -u 10.96.0.10:53 -s rr
ipvsadm -A --sctp-service 10.96.0.10:5000 -s rr; ipvsadm -A -t 198.51.100.7:80 -s rr; ipvsadm -A -t [fd00:10:96::a]:53 -s rr
for a in 192.0.2.10 10.244.1.1 10.244.200.1; do ipvsadm -A -t $a:30001 -s rr; done`

func TestVirtualServicesOfKubeProxyGoAndThoseOfOthersStay(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(foreignVirtuals)
		others := w.script("ipvsadm-save -n | sort")
		w.join()
		w.script(proxyVirtuals)
		target := w.target()
		target.Facts.ServiceCIDRs = []string{"10.96.0.0/12", "fd00:10:96::/112"}
		target.Facts.IPVSExclude = []string{"203.0.113.0/24"}
		before, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		_, err = target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		after, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		if verdict := inventory.Verify(before, after); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if diff := cmp.Diff(others, w.script("ipvsadm-save -n | sort")); diff != "" {
			w.Errorf("(-before +after):\n%s", diff)
		}
		w.script("grep -q 0A600001:01BB state/virtual-services.txt")
	})
}
