// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd/etcdtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// etcdManifest is what kubeadm writes, as far as it matters here.
const etcdManifest = `kind: Pod
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=%s
    - --data-dir=/var/lib/etcd
    - --initial-advertise-peer-urls=https://%s:2380
    - --name=%s
    - --trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt
    volumeMounts:
    - mountPath: /var/lib/etcd
      name: etcd-data
    - mountPath: /etc/kubernetes/pki/etcd
      name: etcd-certs
  volumes:
  - hostPath: {path: /etc/kubernetes/pki/etcd, type: DirectoryOrCreate}
    name: etcd-certs
  - hostPath: {path: /var/lib/etcd, type: DirectoryOrCreate}
    name: etcd-data
`

// joinAsControlPlane makes the host a node that runs a member of a cluster.
func (w *world) joinAsControlPlane(cluster *etcdtest.Cluster, name string) {
	w.Helper()
	w.join()
	w.script(fmt.Sprintf(`mkdir -p var/lib/etcd/member/wal etc/kubernetes/pki/etcd etc/kubernetes/manifests
echo data > var/lib/etcd/member/wal/0.wal
cat > etc/kubernetes/manifests/etcd.yaml <<'E'
`+etcdManifest+`E
`, cluster.URL(name), name, name))
	dir := w.dir + "/etc/kubernetes/pki/etcd/"
	for file, content := range map[string][]byte{"ca.crt": cluster.CA, "healthcheck-client.crt": cluster.Cert,
		"healthcheck-client.key": cluster.Key} {
		hosttest.Must(w.T, os.WriteFile(dir+file, content, 0o600))
	}
}

func TestAControlPlaneLeavesItsEtcdClusterBeforeItIsCleaned(t *testing.T) {
	inWorld(t, func(w *world) {
		cluster := etcdtest.Serve(w.T, "cp1", "cp2", "cp3")
		before := w.dump()
		w.joinAsControlPlane(cluster, "cp1")
		target := w.target()
		inv := w.survey()
		if first := inventory.Decide(inv).Objects[0]; first.Kind != inventory.KindMember || first.Name != "cp1" ||
			first.Detail != "leader, 3 of 3 voting members healthy" {
			w.Errorf("the first to go is %+v", first)
		}
		if inv.Etcd == nil || inv.Etcd.Self != "a1" {
			w.Errorf("etcd: %+v", inv.Etcd)
		}
		if asked := cluster.Asked(); len(asked) > 0 {
			w.Errorf("looking changed: %v", asked)
		}
		_, err := target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		if want := []string{"leader cp3", "remove cp1 through cp3"}; !slices.Equal(cluster.Asked(), want) {
			w.Errorf("asked %v, want %v", cluster.Asked(), want)
		}
		w.same(before)
	})
}

func TestAMemberThatMayNotLeaveStopsARemovalBeforeItBegins(t *testing.T) {
	inWorld(t, func(w *world) {
		cluster := etcdtest.Serve(w.T, "cp1", "cp2", "cp3")
		w.joinAsControlPlane(cluster, "cp2")
		cluster.Kill("cp3")
		before := w.dump()
		_, err := w.target().Recipe().Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "would have no quorum: 1 of 2") || plan.HintOf(err) == "" {
			w.Errorf("got %v", err)
		}
		if len(cluster.Asked()) > 0 || w.active != "active" {
			w.Errorf("asked %v, the kubelet is %s", cluster.Asked(), w.active)
		}
		w.same(before)
	})
}

func TestADepartureThatWasInterruptedIsFinished(t *testing.T) {
	inWorld(t, func(w *world) {
		cluster := etcdtest.Serve(w.T, "cp1", "cp2")
		w.joinAsControlPlane(cluster, "cp1")
		// As if the program had ended when it had written down what it was
		// about to do.
		note := fmt.Sprintf(`{"Cluster":"c1","DataDir":"/var/lib/etcd","Member":{"id":"a1","name":"cp1"},"Through":[%q]}`, cluster.URL("cp2"))
		w.script("mkdir -m 700 state; echo '" + note + "' > state/etcd.json")
		target := w.target()
		if err := target.Restore(w.Context()); err != nil {
			w.Errorf("a member that has not left yet may stay: %v", err)
		}
		if w.exists("/state/etcd.json") {
			w.Error("it is still noted as leaving")
		}
		_, err := target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		if got := cluster.Names(); !slices.Equal(got, []string{"cp2"}) {
			w.Errorf("members %v", got)
		}
		if err := target.Restore(w.Context()); err == nil || !strings.Contains(err.Error(), "has left") {
			w.Errorf("there is no way back for a control plane without its member: %v", err)
		}
		// As if it had ended before it could write down that it was done.
		w.joinAsControlPlane(cluster, "cp2")
		w.script("sed -i s/true/false/ state/etcd.json")
		_, err = target.Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		if want := []string{"leader cp2", "remove cp1 through cp2"}; !slices.Equal(cluster.Asked(), want) {
			w.Errorf("asked %v, want %v", cluster.Asked(), want)
		}
	})
}

func TestDataOfAMemberThatHasNotLeftIsNotDeleted(t *testing.T) {
	inWorld(t, func(w *world) {
		cluster := etcdtest.Serve(w.T, "cp1", "cp2")
		w.joinAsControlPlane(cluster, "cp1")
		recipe := w.target().Recipe()
		recipe.Steps = slices.DeleteFunc(recipe.Steps, func(s plan.Step) bool { return s.ID == "etcd" })
		_, err := recipe.Run(w.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "/var/lib/etcd is the data of an etcd member that is not known to have left") {
			w.Errorf("got %v", err)
		}
		w.script(`grep -q data var/lib/etcd/member/wal/0.wal`)
	})
}

func TestAMemberWhoseAddressHasChangedIsStillAMember(t *testing.T) {
	inWorld(t, func(w *world) {
		cluster := etcdtest.Serve(w.T, "cp1", "cp2")
		w.joinAsControlPlane(cluster, "cp1")
		w.script("sed -i s,https://cp1:2380,https://moved:2380, etc/kubernetes/manifests/etcd.yaml")
		if inv := w.survey(); inv.Etcd == nil || inv.Etcd.Self != "a1" {
			w.Errorf("by its name: %+v", inv.Etcd)
		}
		cluster.Kill("cp1") // it cannot say who it is
		w.script("sed -i s,https://moved:2380,https://cp2:2380, etc/kubernetes/manifests/etcd.yaml")
		target := w.target()
		target.Facts.ControlPlanes = nil
		if inv, err := target.Survey(w.Context()); err != nil || len(inv.Unchecked) == 0 {
			w.Errorf("nobody tells who it is, and that is not said: %+v, %v", inv.Unchecked, err)
		}
	})
}

func TestEtcdDataThatNothingTellsOfStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p var/lib/etcd/member; echo external > var/lib/etcd/member/snap`)
		_, err := w.target().Recipe().Run(w.Context(), nil)
		hosttest.Must(w.T, err)
		w.script(`grep -q external var/lib/etcd/member/snap`)
	})
}

func TestTheMemberOfADeadHostIsTakenOutByASurvivor(t *testing.T) {
	inWorld(t, func(w *world) {
		if done, err := w.target().Bury(w.Context(), inventory.Burial{Host: "cp3"}); err != nil || done != (inventory.Buried{}) {
			w.Errorf("on a host without etcd: %+v, %v", done, err)
		}
		cluster := etcdtest.Serve(w.T, "cp1", "cp2", "cp3")
		w.joinAsControlPlane(cluster, "cp1")
		cluster.Kill("cp3")
		if _, err := w.target().Bury(w.Context(), inventory.Burial{Host: "cp2"}); plan.ClassOf(err) != plan.Refused ||
			!strings.Contains(err.Error(), "is not dead") {
			w.Errorf("one that lives: %v", err)
		}
		for _, want := range []string{"cp3", ""} {
			done, err := w.target().Bury(w.Context(), inventory.Burial{Host: "cp3"})
			if err != nil || done.Cluster == "" || done.Member.Name != want {
				w.Errorf("got %+v, %v, want member %q", done, err, want)
			}
		}
		if got := cluster.Names(); !slices.Equal(got, []string{"cp1", "cp2"}) {
			w.Errorf("members %v", got)
		}
		if asked := cluster.Asked(); len(asked) != 1 {
			w.Errorf("asked %v", asked)
		}
	})
}
