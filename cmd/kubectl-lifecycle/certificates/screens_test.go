// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"encoding/json"
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/screentest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certrenew"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/servingcerts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

var update = flag.Bool("update", false, "write the golden files of screens")

// TestScreensOfCertificates has what each command about certificates shows.
func TestScreensOfCertificates(t *testing.T) {
	screentest.Compare(t, *update, slices.Concat(checkScreens(), renewScreens(), ownScreens(t), approveScreens(), recoverScreens()))
}

// certificate is a row of one that ends in some days.
func certificate(node, name, ca, by string, days int) certs.Row {
	r := certs.Row{Node: node, Name: name, CA: ca, ManagedBy: by, Authority: ca == "" && by == certs.ByKubeadm,
		Where: "/etc/kubernetes/pki/" + name + ".crt"}
	r = r.Of(certs.Certificate{Serial: "7a3f09c15e", Key: "RSA 2048", Names: []string{"cp-1", "192.0.2.11"}, Fingerprint: "on disk",
		NotAfter: screentest.Now().Add(time.Duration(days) * day)})
	return r
}

// ownCertificate is that of a person's kubeconfig.
func ownCertificate() certs.Row {
	r := certificate("", own, "ca", "-", 300)
	r.Where = "/home/ann/.kube/config"
	return r
}

// found are certificates of a cluster with one control plane, well but for what is asked for.
func found(troubled bool) certs.Result {
	r := certs.Result{Rows: []certs.Row{
		ownCertificate(),
		certificate("cp-1", "ca", "", certs.ByKubeadm, 3200), certificate("cp-1", "apiserver", "ca", certs.ByKubeadm, 300),
		certificate("cp-1", "apiserver-kubelet-client", "ca", certs.ByKubeadm, 300),
		certificate("cp-1", "etcd-server", "etcd-ca", certs.ByKubeadm, 300), certificate("cp-1", "kubelet", "ca", certs.ByKubelet, 200),
		certificate("worker-1", "kubelet", "ca", certs.ByKubelet, 200),
	}}
	if troubled {
		ends := func(days int) func(*certs.Row) {
			at := screentest.Now().Add(time.Duration(days) * day)
			return func(r *certs.Row) { r.Certificate.NotAfter, r.Expires = at, &at }
		}
		ends(20)(&r.Rows[2])
		ends(2)(&r.Rows[3])
		r.Rows[4].Served = &certs.Served{At: "192.0.2.11:2379", Certificate: &certs.Certificate{Fingerprint: "another",
			NotAfter: screentest.Now().Add(12 * day)}}
		ends(-1)(&r.Rows[6])
		r.Rows = append(r.Rows, certs.Row{Node: "worker-2", Name: "kubelet-serving", Where: "certificatesigningrequest/csr-8x2kp",
			ManagedBy: certs.ByKubelet, Request: certs.Pending, Notes: []string{"it waits for approval since 2026-03-03 22:10"}},
			certs.Row{Node: "cp-1", Name: "front-proxy-client", Where: "/etc/kubernetes/pki/front-proxy-client.crt", ManagedBy: certs.ByKubeadm,
				CA: "front-proxy-ca", IsMissing: true})
		r.Unseen = []certs.Unseen{{What: "the kubelet of worker-3", Why: "it does not answer: dial tcp 192.0.2.3:10250: i/o timeout"},
			{What: "secrets of webhooks", Why: "your user may not read it"}}
	}
	certs.Judge(r.Rows, screentest.Now(), certs.Limits{Warn: 30 * day, Critical: 7 * day})
	return r
}

func checkScreens() []screentest.Screen {
	check := func(name, output string, r func() certs.Result) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(_ *testing.T, e *env.Env) error {
			if err := (commands{e}).tell(output, r()); err != nil {
				return err
			}
			return toDo(r())
		})}
	}
	troubled := func() certs.Result { return found(true) }
	return []screentest.Screen{
		check("check", "", troubled), check("check-wide", "wide", troubled), check("check-prom", "prom", troubled),
		check("check-well", "", func() certs.Result { return found(false) }),
		check("check-many-kubelets", "", func() certs.Result {
			r := found(false)
			for range 25 {
				r.Rows = append(r.Rows, certificate("worker-2", "kubelet", "ca", certs.ByKubelet, 200))
			}
			certs.Judge(r.Rows, screentest.Now(), certs.Limits{})
			return r
		}),
		check("check-host-not-seen", "", func() certs.Result {
			r := found(false)
			r.Unseen = []certs.Unseen{{What: "the host of cp-1", Why: "no image that may run privileged is on it", Asked: true}}
			return r
		}),
		line("check-limits", nil, "certs", "check", "--critical", "60d"),
		line("check-no-duration", nil, "certs", "check", "--warn", "soon"),
	}
}

// line is the screen of a command line.
func line(name string, with func(*testing.T, *env.Env), args ...string) screentest.Screen {
	return screentest.Family(Commands).Line(name, with, args...)
}

// planes are three control planes whose certificates end in some days.
func planes(days int, change func(*certrenew.Facts)) certrenew.Facts {
	f := certrenew.Facts{Period: 365 * day}
	var members []inventory.EtcdMember
	names := []string{"cp-1", "cp-2", "cp-3"}
	for i, name := range names {
		members = append(members, inventory.EtcdMember{ID: name, Name: name, Leader: i == 0})
	}
	for _, name := range names {
		etcd, err := json.Marshal(inventory.Etcd{Self: name, Members: members})
		if err != nil {
			panic(err) // nothing of it comes from outside
		}
		f.Nodes = append(f.Nodes, screentest.Node(name))
		f.Looks = append(f.Looks, certs.Look{Node: name, ServiceAccountKey: "k", Etcd: etcd, Rows: []certs.Row{
			certificate(name, "ca", "", certs.ByKubeadm, 3200), certificate(name, "apiserver", "ca", certs.ByKubeadm, days),
			certificate(name, "apiserver-kubelet-client", "ca", certs.ByKubeadm, days),
			certificate(name, "etcd-server", "etcd-ca", certs.ByKubeadm, days), certificate(name, "admin.conf", "ca", certs.ByKubeadm, days),
			certificate(name, "scheduler.conf", "ca", certs.ByKubeadm, days)}})
	}
	if change != nil {
		change(&f)
	}
	return f
}

func renewScreens() []screentest.Screen {
	renew := func(name string, facts certrenew.Facts, acts map[string]screentest.Act) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(t *testing.T, e *env.Env) error {
			t.Helper()
			c := commands{e}
			r, err := certrenew.New(runner.Cluster{}, facts, certs.Wish{Now: time.Now()}, env.Who())
			if err != nil {
				return env.NothingChanged(err)
			}
			p := r.Plan()
			c.ShowPlan(p, nil)
			if r.Idle() {
				c.Say("nothing to renew")
				return nil
			}
			if acts == nil {
				return nil
			}
			progress := c.Progress()
			_, err = screentest.Played(p, acts).Run(t.Context(), progress)
			progress.Close()
			if err != nil {
				return plan.Begun(err)
			}
			return c.toldRenewal(r)
		})}
	}
	host := screentest.Act{Takes: 34 * time.Second, Says: []string{"asking the hosts of all control planes again",
		"the earlier certificates are in /var/backups/kubectl-lifecycle/certs-20260304T050607Z there",
		"with a snapshot of etcd: etcd-snapshot.db, 12 MiB", "restarted: kube-controller-manager, kube-scheduler"}}
	fails := screentest.Act{Takes: 64 * time.Second, Err: plan.As(plan.Broken, plan.Hint(errors.New("the host of cp-3: the API server is not "+
		"healthy with its new certificate after 1m0s; the earlier certificates are in place there, and in use again"),
		"see why, on the host of cp-3: crictl logs of the container kube-apiserver; then run the same command again"))}
	return []screentest.Screen{
		renew("renew-plan", planes(20, nil), nil),
		renew("renew", planes(20, nil), map[string]screentest.Act{"renew/cp-1": host, "renew/cp-2": host, "renew/cp-3": host}),
		renew("renew-failed", planes(20, nil), map[string]screentest.Act{"lock": {Undone: true}, "renew/cp-2": host, "renew/cp-3": fails}),
		renew("renew-nothing", planes(365, nil), nil),
		renew("renew-not-ready", planes(20, func(f *certrenew.Facts) { screentest.Silent(f.Nodes[1]) }), nil),
		renew("renew-authority-ends", planes(20, func(f *certrenew.Facts) {
			f.Looks[0].Rows[0] = certificate("cp-1", "ca", "", certs.ByKubeadm, 90)
		}), nil),
		line("renew-unknown", nil, "certs", "renew", "apiserver", "api-server"),
		line("renew-no-name", nil, "certs", "renew"),
	}
}

// ownScreens are those of a person's own kubeconfig.
func ownScreens(t *testing.T) []screentest.Screen {
	t.Helper()
	config := func(change func(*api.Config)) func(*testing.T, *env.Env) {
		c := api.NewConfig()
		c.Clusters["prod"] = &api.Cluster{Server: "https://api.example.com:6443", CertificateAuthorityData: screentest.Authority()}
		c.AuthInfos["ann"] = &api.AuthInfo{ClientCertificateData: screentest.Authority(), ClientKeyData: []byte("hush")}
		c.Contexts["prod"] = &api.Context{Cluster: "prod", AuthInfo: "ann"}
		c.CurrentContext = "prod"
		if change != nil {
			change(c)
		}
		file := filepath.Join(t.TempDir(), "config")
		if err := clientcmd.WriteToFile(*c, file); err != nil {
			t.Fatal(err)
		}
		return func(_ *testing.T, e *env.Env) {
			e.Client = func() (kubernetes.Interface, error) { return fake.NewClientset(), nil }
			*e.Flags.KubeConfig = file
		}
	}
	return []screentest.Screen{
		line("renew-kubeconfig", config(nil), "certs", "renew", "kubeconfig", "--dry-run"),
		line("renew-kubeconfig-token", config(func(c *api.Config) { c.AuthInfos["ann"] = &api.AuthInfo{Token: "hush"} }),
			"certs", "renew", "kubeconfig"),
	}
}

func approveScreens() []screentest.Screen {
	requests := []servingcerts.Request{
		{Name: "csr-8x2kp", Node: "worker-1", Names: []string{"worker-1", "192.0.2.1"}},
		{Name: "csr-9m4zt", Node: "worker-2", Names: []string{"worker-2", "api.example.com"},
			Why: "api.example.com is neither the host name nor an internal address of node worker-2"},
	}
	approve := func(name string, approved bool, all ...servingcerts.Request) screentest.Screen {
		return screentest.Screen{Name: name, Show: screentest.Still(func(_ *testing.T, e *env.Env) error {
			all := slices.Clone(all)
			for i := range all {
				all[i].Approved = approved && all[i].Why == ""
			}
			if err := e.Print("", all, func(s *view.Sheet) error { return view.Requests(s, all) }); err != nil {
				return err
			}
			return unapproved(all)
		})}
	}
	return []screentest.Screen{
		approve("approve-dry-run", false, requests...), approve("approve", true, requests[0]), approve("approve-left", true, requests...),
		approve("approve-none", true), line("approve-watch-dry-run", cluster(), "certs", "approve", "--watch", "--dry-run"),
	}
}

// cluster is one in which worker-3's kubelet does not report.
func cluster() func(*testing.T, *env.Env) {
	return screentest.On(func(t *testing.T) kubernetes.Interface {
		t.Helper()
		client := fake.NewClientset(append(screentest.Kubeadm(), screentest.Node("worker-1"), screentest.Node("worker-3", screentest.Silent),
			screentest.Node("cp-1"), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
				Data: map[string]string{"kubeconfig": screentest.ClusterInfo()}})...)
		screentest.Reviewed(client)
		return client
	})
}

func recoverScreens() []screentest.Screen {
	return []screentest.Screen{
		line("recover-kubelet-dry-run", cluster(), "certs", "recover-kubelet", "worker-3", "--dry-run"),
		line("recover-kubelet-ssh-dry-run", cluster(), "certs", "recover-kubelet", "worker-3", "--ssh", "root@192.0.2.3", "--dry-run"),
		line("recover-kubelet-ready", cluster(), "certs", "recover-kubelet", "worker-1"),
		line("recover-kubelet-ssh-wait", cluster(), "certs", "recover-kubelet", "worker-3", "--ssh", "root@192.0.2.3", "--wait"),
	}
}
