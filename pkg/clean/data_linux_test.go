// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd/etcdtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The plan has said of each that its data stays.
func TestDataThatIsToStayIsComparedWithAllThatGoes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(elsewhere + `mkdir -p srv/links etc/kubernetes/pki/pv var/lib/kubelet/local-volumes/pv1 var/lib/calico/pv
ln -s ../../var/lib/calico/pv srv/links/pv; ln -s ../../var/lib/calico srv/links/all`)
		w.runs("kubelet", "--root-dir=/data/kubelet")
		before := w.dump()
		for _, tc := range []struct {
			name, path, with string
		}{
			{"below another root of the kubelet's", "/data/kubelet/plugins/data", "/data/kubelet/plugins"},
			{"through a link", "/srv/links/pv", "/var/lib/calico"},
			{"through a link to all of it", "/srv/links/all", "/var/lib/calico"},
			{"of a network", "/var/lib/cni/networks/cbr0/pv", "/var/lib/cni/networks/cbr0"},
			{"among certificates", "/etc/kubernetes/pki/pv", ""},
			{"in the kubelet's root, under a name of its own", "/var/lib/kubelet/local-volumes/pv1", ""},
			{"above what goes", "/var/lib", ""},
			{"the kubelet's own directory, which nobody fills", "/data/kubelet/pods", ""},
			{"somewhere else", "/srv/data", ""},
		} {
			target := w.target()
			target.Facts.Keep = []string{"/srv/data", tc.path}
			err := target.Objections(w.Context())
			switch {
			case tc.with == "" && err != nil:
				w.Errorf("%s: %v", tc.name, err)
			case tc.with != "" && (plan.ClassOf(err) != plan.Refused ||
				!strings.Contains(err.Error(), tc.path+" is data that a pod keeps on this host, and it would go with "+tc.with) ||
				!strings.Contains(plan.HintOf(err), "--delete-host-data")):
				w.Errorf("%s: %v", tc.name, err)
			}
			if target.Choices.DeleteHostData = true; target.Objections(w.Context()) != nil {
				w.Errorf("%s is refused although that was chosen", tc.name)
			}
		}
		w.same(before)
	})
}

func TestSnapshotsBesideEtcdsDataStay(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p srv/etcd srv/wal; born; old")
		cluster := etcdtest.Serve(w.T, "cp1", "cp2", "cp3")
		w.joinAsControlPlane(cluster, "cp1")
		// The container has them elsewhere than the host.
		w.script(`sed -i 's,path: /var/lib/etcd,path: /srv,; s,--data-dir=/var/lib/etcd,--data-dir=/var/lib/etcd/etcd,
s,    - --name,    - --wal-dir=/var/lib/etcd/wal\n&,' etc/kubernetes/manifests/etcd.yaml
mkdir -p srv/etcd/member/snap; touch srv/etcd/member/snap/db srv/wal/0000000000000000-0000000000000000.wal srv/wal/0.tmp
echo precious | tee srv/etcd/snapshot.db srv/wal/notes > var/lib/etcd/member/theirs`)
		_, err := w.target().Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		if got := w.script("find srv/etcd srv/wal -type f | sort; cat srv/etcd/snapshot.db srv/wal/notes " +
			"var/lib/etcd/member/theirs"); got != "srv/etcd/snapshot.db\nsrv/wal/notes\nprecious\nprecious\nprecious\n" {
			w.Errorf("left: %q", got)
		}
		var named []string
		for _, it := range w.survey().With(inventory.Stays) {
			named = append(named, it.Name)
		}
		if all := strings.Join(named, " "); !strings.Contains(all, "/srv/etcd/snapshot.db") || !strings.Contains(all, "/srv/wal/notes") {
			w.Errorf("not named: %s", all)
		}
	})
}
