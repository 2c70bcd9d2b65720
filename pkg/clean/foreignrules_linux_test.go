// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// An administrator's exceptions for the pod network were made for a cluster that the host
// has left. They are not ours, so none is touched, and the verdict names each.
func TestForeignRulesThatNameTheOldClusterStayAndAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`rules '*filter
:trusted - [0:0]
-A FORWARD -j trusted
-A trusted -m comment --comment "pods, 192.0.2.1" -j RETURN
COMMIT'
for i in nft legacy; do iptables-$i -A trusted -s 10.244.0.0/16 -j ACCEPT; iptables-$i -A trusted -s 10.0.0.0/8 -j ACCEPT; done
nft 'add rule inet mine c ip daddr 10.244.7.9 accept'; nft add table ip kube-router-like; nft add chain ip kube-router-like x
nft 'add rule ip kube-router-like x ip saddr 10.244.0.0-10.244.0.255 drop'`)
		before := w.dump()
		w.join()
		verdict := w.remove()
		w.same(before)
		var got []string
		for _, it := range verdict.But {
			name := it.Name
			if at := strings.Index(name, " handle "); at > 0 {
				name = name[:at]
			}
			got = append(got, string(it.Kind)+" "+name+" ("+it.In+"): "+it.Refers)
		}
		const pods = ", of the cluster's pod network 10.244.0.0/16"
		want := []string{
			"filter-rule -A trusted -s 10.244.0.0/16 -j ACCEPT (legacy ip filter): it names 10.244.0.0/16" + pods,
			"filter-rule c (nft inet mine): it names 10.244.7.9" + pods,
			"filter-rule trusted (nft ip filter): it names 10.244.0.0/16" + pods,
			"filter-rule x (nft ip kube-router-like): it names 10.244.0.0/24" + pods,
		}
		if diff := cmp.Diff(want, got); diff != "" || verdict.State != inventory.CleanBut {
			t.Errorf("%s (-want +got):\n%s", verdict.State, diff)
		}
		w.script(`iptables-nft -F trusted; iptables-legacy -F trusted; nft flush chain inet mine c; nft delete table ip kube-router-like`)
		if again := w.remove(); again.State != inventory.Clean {
			t.Errorf("without them it is %s: %+v", again.State, again)
		}
	})
}
