// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// With nothing left in the API hosts are all that changes.
func TestHostsAreNotCleanedUnasked(t *testing.T) {
	hosts := cleanFlags{cleanNodes: true}
	for name, tc := range map[string]struct {
		flags  uninstallFlags
		answer string // none: stdin is no terminal
		says   string // empty: it goes on
	}{
		"all hosts, and no terminal":         {uninstallFlags{cleanFlags: hosts}, "", "cannot ask for confirmation"},
		"all hosts, and another answer":      {uninstallFlags{cleanFlags: hosts}, "yes\n", "not confirmed"},
		"all hosts, and no answer":           {uninstallFlags{cleanFlags: hosts}, "\n", "not confirmed"},
		"all hosts, and the network's name":  {uninstallFlags{cleanFlags: hosts}, "antrea\n", ""},
		"all hosts, said beforehand":         {uninstallFlags{cleanFlags: hosts, yes: true}, "", ""},
		"a dry run of this machine":          {uninstallFlags{cleanFlags: hosts, mode: env.DryRunClient}, "", ""},
		"a dry run that looks at hosts":      {uninstallFlags{cleanFlags: hosts, mode: env.DryRunServer}, "", ""},
		"no host, and so there is no change": {uninstallFlags{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			streams, in, _, errOut := genericiooptions.NewTestIOStreams()
			e := env.New(streams, "dev")
			e.Terminal = func(any) bool { return tc.answer != "" }
			in.WriteString(tc.answer)
			if tc.flags.mode == "" {
				tc.flags.mode = env.DryRunNone
			}
			err := commands{e}.runUninstall(t.Context(), nil, nil, uninstall.Uninstallation{CNI: "antrea"}, tc.flags)
			if (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
			if asked := strings.Contains(errOut.String(), "on all hosts"); asked != (tc.answer != "") {
				t.Errorf("asked: %v\n%s", asked, errOut)
			}
		})
	}
}

// One host that does not answer keeps DNS from no other.
func TestDNSIsMadeAgainWhereHostsWereCleanedAlthoughOthersWereLeft(t *testing.T) {
	pod := func(node string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "coredns-" + node, Namespace: "kube-system",
			Labels:          map[string]string{"k8s-app": "kube-dns"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "coredns", Controller: new(true)}}},
			Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{PodIP: "10.244.0.2"}}
	}
	results := []netclean.Result{{Node: "a", State: netclean.Cleaned}, {Node: "b", State: netclean.Silent, Hint: "run it again"}}
	client := fake.NewClientset(pod("a"), pod("b"))
	err := restartDNS(t.Context(), client, results, hostsLeft(t.Context(), "flannel", results))
	if err == nil || !strings.Contains(err.Error(), "1 of 2 hosts were not cleaned of flannel") ||
		!strings.Contains(plan.HintOf(err), "b: run it again") {
		t.Errorf("got %v, hint %q", err, plan.HintOf(err))
	}
	left, err := client.CoreV1().Pods("kube-system").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(left.Items) != 1 || left.Items[0].Name != "coredns-b" {
		t.Errorf("left %v, %v", left, err)
	}
	client.PrependReactor("list", "pods", func(ktesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("no pods") })
	err = restartDNS(t.Context(), client, results, hostsLeft(t.Context(), "flannel", results))
	if err == nil || !strings.Contains(err.Error(), "not cleaned of flannel") || !strings.Contains(err.Error(), "no pods") ||
		plan.HintOf(err) == "" {
		t.Errorf("with DNS as it was: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := restartDNS(ended, client, results, hostsLeft(ended, "flannel", results)); plan.ClassOf(err) != plan.Interrupted {
		t.Errorf("after it was interrupted: %v", err)
	}
}
