// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// git is the namespace of a release "gitea": a web server with one replica that
// its budget never lets go, a pooler like it, and a database of three with one
// to spare.
const git = "lifecycle-git"

//go:embed gitea.yaml
var giteaChart string

// stageGitea: a node whose drain three budgets keep. The plan says which, whose
// they are and what helps; a surge ends it, and nobody who uses the server
// notices.
func (b *bed) stageGitea(t *testing.T) {
	b.joined(t)
	b.installGitea(t)
	defer b.uninstallGitea(t)
	o := b.run(t, 3, "drain", b.blank, "--ignore-daemonsets", "--plan")
	for _, want := range []string{
		"PodDisruptionBudget " + git + "/gitea", "PodDisruptionBudget " + git +
			"/pgpool", "ReplicaSet/gitea-", "Deployment/gitea", "Deployment/pgpool",
		"Helm release gitea in namespace " + git, "helm -n " + git + " get values gitea", "--surge=auto", "spends 1 of " + git + "/postgresql",
	} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("the plan does not say %q:\n%s", want, o.stdout)
		}
	}
	o = b.run(t, 5, "drain", b.blank, "--ignore-daemonsets", "--timeout", "5s")
	o.says(t, git+"/gitea", git+"/pgpool")
	b.kubectl(t, "", "uncordon", b.blank)

	fewest := map[string]func() (int, int){}
	for app := range giteaFloors() {
		fewest[app] = b.watchReady(t, git, "app="+app)
	}
	client := b.visit(t)
	o = b.must(t, "drain", b.blank, "--ignore-daemonsets", "--surge=auto", "--timeout", "3m")
	o.says(t, git+"/Deployment/gitea: 1 pod left, now on ", git+"/Deployment/pgpool: 1 pod left, now on ")
	b.took("drain --surge of a node that three budgets kept", o.took)
	visits, failures := client()
	t.Logf("| %d requests while it drained, %d failed", visits, len(failures))
	if least := int(o.took/visitEvery) / 2; len(failures) > 0 || visits < least {
		t.Errorf("of %d requests (at least %d) these failed: %v", visits, least, failures)
	}
	for app, floor := range giteaFloors() {
		if least, changes := fewest[app](); least < floor || changes < 2 {
			t.Errorf("%s: %d pods were ready at one time, its budget demands %d (%d changes seen)", app, least, floor, changes)
		}
	}
	b.giteaIsAsBefore(t)
}

// giteaFloors are the apps and what their budgets demand.
func giteaFloors() map[string]int { return map[string]int{"gitea": 1, "pgpool": 1, "postgresql": 2} }

// giteaIsAsBefore fails the test unless nothing is left on the drained node, and
// nothing of the surge anywhere.
func (b *bed) giteaIsAsBefore(t *testing.T) {
	t.Helper()
	pods, err := b.client.CoreV1().Pods(git).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + b.blank})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods are still on %s, %v", len(pods.Items), b.blank, err)
	}
	list, err := b.client.AppsV1().Deployments(git).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 2 {
		t.Fatalf("%d deployments, %v", len(list.Items), err)
	}
	for _, d := range list.Items {
		for key := range d.Annotations {
			if strings.Contains(key, "lifecycle") {
				t.Errorf("%s has the annotation %s", d.Name, key)
			}
		}
		if *d.Spec.Replicas != 1 || d.Labels["lifecycle.kubectl.io/surge"] != "" {
			t.Errorf("%s has %d replicas and labels %v", d.Name, *d.Spec.Replicas, d.Labels)
		}
	}
}

// installGitea installs the release with Helm, all its pods on the blank host.
func (b *bed) installGitea(t *testing.T) {
	t.Helper()
	for _, other := range []string{b.worker, b.worker2} {
		b.kubectl(t, "", "cordon", other)
		defer b.kubectl(t, "", "uncordon", other)
	}
	if _, err := b.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: git}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &b.kubeconfig
	made := chart.Chart{Name: "gitea", Version: "1.0.0", Files: []chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: gitea\nversion: 1.0.0\n")},
		{Name: "templates/all.yaml", Data: []byte(giteaChart)},
	}}
	client := helm.Client{Getter: flags, Driver: "secret"}
	err := client.Apply(t.Context(), release.Desired{Namespace: git, Name: "gitea", Chart: made, Values: map[string]any{"image": b.image},
		Action: release.Install})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"deployment/gitea", "deployment/pgpool", "statefulset/postgresql"} {
		b.kubectl(t, "", "-n", git, "rollout", "status", what, "--timeout=90s")
	}
	eventually(t, 30*time.Second, "the budgets know their pods", func() (bool, string) {
		pdb, err := b.client.PolicyV1().PodDisruptionBudgets(git).Get(t.Context(), "postgresql", metav1.GetOptions{})
		return err == nil && pdb.Status.DisruptionsAllowed == 1, fmt.Sprint(pdb.Status.CurrentHealthy, err)
	})
}

func (b *bed) uninstallGitea(t *testing.T) {
	t.Helper()
	b.kubectl(t, "", "uncordon", b.blank)
	b.kubectl(t, "", "delete", "namespace", git, "--wait=false")
	eventually(t, 2*time.Minute, "the namespace is gone", func() (bool, string) {
		_, err := b.client.CoreV1().Namespaces().Get(t.Context(), git, metav1.GetOptions{})
		return apierrors.IsNotFound(err), fmt.Sprint(err)
	})
}

// visitEvery makes 20 requests a second.
const visitEvery = 50 * time.Millisecond

// visit asks the server again and again, each time over a new connection. What
// it returns ends that, and tells the number of requests and what failed.
func (b *bed) visit(t *testing.T) func() (int, []error) {
	t.Helper()
	service, err := b.client.CoreV1().Services(git).Get(t.Context(), "gitea", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(b.kubectl(t, "", "get", "node", b.controlPlane, "-o",
		`jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`))
	url := "http://" + net.JoinHostPort(address, fmt.Sprint(service.Spec.Ports[0].NodePort)) + "/hostname"
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var failures []error
	visits := 0
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(visitEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			group.Go(func() {
				err := get(client, url)
				mu.Lock()
				defer mu.Unlock()
				if visits++; err != nil {
					failures = append(failures, err)
				}
			})
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() (int, []error) {
		cancel()
		group.Wait()
		return visits, failures
	}
}

func get(client *http.Client, url string) error {
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // only its status counts
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}
