// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"crypto/x509/pkix"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestFollowReportsEachStageOfAnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		jointest.Allow(client, jointest.Nothing)
		b := follow(t, client, ours(t), time.Hour)
		b.last("waiting for the host: no certificate request yet")
		csr := csrOf(t, "csr-1", "w3", nil)
		b.makeCSR(csr)
		b.last("host w3 is not Ready: its certificate request csr-1 is pending")
		b.changeCSR(csr, with(certificatesv1.CertificateApproved, ""))
		b.last("csr-1 is approved, not issued")
		b.changeCSR(csr, issued)
		b.last("has not registered its node yet")
		node := jointest.Node("w3", corev1.ConditionFalse, "cni plugin not initialized")
		b.makeNode(node)
		b.last("host w3 is not Ready: cni plugin not initialized")
		time.Sleep(watch.Heartbeat)
		synctest.Wait()
		b.last("cni plugin not initialized; no network agent is on it")
		time.Sleep(watch.Heartbeat)
		synctest.Wait()
		b.last("(20s; give the cluster a network: kubectl lifecycle cni install flannel)")
		_, err := client.CoreV1().Pods("kube-flannel").Create(t.Context(), agent("w3", "ImagePullBackOff", "no such host"),
			metav1.CreateOptions{})
		b.must(err)
		b.last("kube-flannel/kube-flannel-ds-x: ImagePullBackOff: no such host")
		b.changeNode(jointest.Node("w3", corev1.ConditionTrue, ""))
		b.last("host w3 is Ready")
		b.end(Ready, "")
		if b.arrival.Node != "w3" || b.arrival.Request != "csr-1" {
			t.Errorf("got %+v", b.arrival)
		}
	})
}

// agent is the pod of a network's agent that waits.
func agent(node, reason, message string) *corev1.Pod {
	controller := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-flannel", Name: "kube-flannel-ds-x",
			OwnerReferences: []metav1.OwnerReference{{Kind: "DaemonSet", Name: "kube-flannel-ds", Controller: &controller}}},
		Spec: corev1.PodSpec{NodeName: node, HostNetwork: true},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}},
	}
}

func TestFollowIgnoresRequestsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := follow(t, fake.NewClientset(), ours(t), time.Minute)
		b.makeCSR(csrOf(t, "csr-other", "evil", func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.Username = "system:bootstrap:zzzzzz"
			with(certificatesv1.CertificateDenied, "no")(c)
		}))
		b.makeCSR(csrOf(t, "csr-serving", "evil", func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.SignerName = certificatesv1.KubeletServingSignerName
		}))
		b.makeCSR(csrOf(t, "csr-user", "x", func(c *certificatesv1.CertificateSigningRequest) {
			c.Spec.Request = pemRequest(t, pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}})
		}))
		b.makeCSR(csrOf(t, "csr-odd", "\x1b[2J", nil))
		b.makeCSR(csrOf(t, "csr-garbage", "x", func(c *certificatesv1.CertificateSigningRequest) { c.Spec.Request = []byte("x") }))
		b.last("waiting for the host")
		time.Sleep(time.Minute)
		b.end(Awaited, "timed out waiting for a host that uses token abcdef")
		jointest.WantClass(t, b.err, plan.TimedOut, "timed out")
	})
}

func TestFollowSaysWhatItWaitsForAndHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		jointest.Allow(client, func(s authorizationv1.SubjectAccessReviewSpec) bool {
			return s.User == "system:bootstrap:abcdef" && s.ResourceAttributes.Subresource == "nodeclient"
		})
		b := follow(t, client, ours(t), time.Minute)
		time.Sleep(watch.Heartbeat)
		synctest.Wait()
		b.last("no certificate request yet (10s; run the join command on the host, as root)")
		b.makeCSR(csrOf(t, "csr-1", "w3", nil))
		time.Sleep(2 * watch.Heartbeat)
		synctest.Wait()
		b.last("csr-1 is pending (20s; it may not be approved by itself, for want of clusterrolebinding kubeadm:node-autoapprove-bootstrap; by " +
			"hand: kubectl certificate approve csr-1)")
		time.Sleep(time.Minute)
		b.end(Requested, "timed out waiting for host w3 to be Ready: its certificate request csr-1 is pending")
		if hint := plan.HintOf(b.err); !strings.Contains(hint, "node-autoapprove-bootstrap") {
			t.Errorf("the hint is %q", hint)
		}
	})
}

func TestFollowEndsWhenARequestIsDeniedOrFails(t *testing.T) {
	for kind, text := range map[certificatesv1.RequestConditionType]string{
		certificatesv1.CertificateDenied: "certificate request csr-1 of host w3 was denied: Test: not today",
		certificatesv1.CertificateFailed: "failed to be signed: Test: not today",
	} {
		synctest.Test(t, func(t *testing.T) {
			b := follow(t, fake.NewClientset(), ours(t), time.Hour)
			csr := csrOf(t, "csr-1", "w3", nil)
			b.makeCSR(csr)
			b.changeCSR(csr, with(kind, "not\ntoday"))
			b.end(Requested, text)
			jointest.WantClass(t, b.err, plan.Broken, text)
		})
	}
}

func TestFollowTakesTheNewestRequestOfTheSameHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := follow(t, fake.NewClientset(), ours(t), time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", nil))
		time.Sleep(time.Second)
		b.makeCSR(csrOf(t, "csr-2", "w3", issued))
		b.last("has not registered its node yet")
		b.makeNode(jointest.Node("w3", corev1.ConditionTrue, ""))
		b.end(Ready, "")
		if b.arrival.Request != "csr-2" {
			t.Errorf("got %+v", b.arrival)
		}
	})
}

func TestFollowStaysWithItsHostAndNamesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := follow(t, fake.NewClientset(), ours(t), time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		time.Sleep(time.Second)
		b.makeCSR(csrOf(t, "csr-2", "w4", issued))
		b.last("another host uses this token: w4")
		b.makeNode(jointest.Node("w4", corev1.ConditionTrue, ""))
		b.makeNode(jointest.Node("w3", corev1.ConditionTrue, ""))
		b.end(Ready, "")
		if b.arrival.Node != "w3" {
			t.Errorf("got %+v", b.arrival)
		}
	})
}

func TestFollowWaitsForTheHostOfAGivenName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ours(t)
		r.NodeName = "w4"
		b := follow(t, fake.NewClientset(jointest.Node("w3", corev1.ConditionTrue, "")), r, time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.last("host w3 uses this token; waiting for w4")
		b.makeCSR(csrOf(t, "csr-2", "w4", issued))
		b.makeNode(jointest.Node("w4", corev1.ConditionTrue, ""))
		b.end(Ready, "")
	})
}

func TestFollowRefusesTheNameOfAReadyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := jointest.Node("w3", corev1.ConditionTrue, "")
		old.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
		b := follow(t, fake.NewClientset(old), ours(t), time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.end(Issued, "host w3 (certificate request csr-1): the name is that of a Ready node")
		if !errors.Is(b.err, ErrNameTaken) || plan.HintOf(b.err) == "" {
			t.Errorf("got %v", b.err)
		}
	})
}

func TestFollowSeesADeadNodeTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := jointest.Node("w3", corev1.ConditionUnknown, "Kubelet stopped posting node status.")
		old.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
		b := follow(t, fake.NewClientset(old), ours(t), time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.last("Kubelet stopped posting node status")
		if all := strings.Join(b.reports, "\n"); !strings.Contains(all, "node w3 was there before, not Ready: the host takes it over") {
			t.Errorf("got %s", all)
		}
		b.changeNode(jointest.Node("w3", corev1.ConditionTrue, ""))
		b.end(Ready, "")
	})
}

func TestFollowOfAForeignTokenPassesOverHostsThatCameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(csrOf(t, "csr-1", "w3", issued), jointest.Node("w3", corev1.ConditionTrue, ""))
		r := ours(t)
		r.Token.Foreign = true
		b := follow(t, client, r, time.Hour)
		b.last("waiting for the host")
		if b.reports[0] != "host w3 came with this token before and is Ready" {
			t.Errorf("got %q", b.reports)
		}
		b.makeCSR(csrOf(t, "csr-2", "w4", issued))
		b.makeNode(jointest.Node("w4", corev1.ConditionTrue, ""))
		b.end(Ready, "")
		if b.arrival.Node != "w4" {
			t.Errorf("got %+v", b.arrival)
		}
	})
}

func TestFollowOfAForeignTokenResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(csrOf(t, "csr-1", "w3", issued), jointest.Node("w3", corev1.ConditionFalse, "starting"))
		r := ours(t)
		r.Token.Foreign = true
		b := follow(t, client, r, time.Hour)
		b.last("host w3 is not Ready: starting")
		b.changeNode(jointest.Node("w3", corev1.ConditionTrue, ""))
		b.end(Ready, "")
	})
}

func TestFollowOfOurTokenFindsTheHostThatCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := jointest.Node("w3", corev1.ConditionTrue, "")
		node.CreationTimestamp = metav1.NewTime(time.Now())
		b := follow(t, fake.NewClientset(csrOf(t, "csr-1", "w3", issued), node), ours(t), time.Hour)
		b.end(Ready, "")
	})
}

func TestFollowGoesOnAfterABrokenWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var breaking sync.Once
		broken := apiwatch.NewRaceFreeFake()
		client.PrependWatchReactor("certificatesigningrequests", func(clienttesting.Action) (handled bool, w apiwatch.Interface, err error) {
			breaking.Do(func() { handled, w = true, broken })
			return handled, w, nil
		})
		b := follow(t, client, ours(t), time.Hour)
		// Made while the watch is deaf: only a new list can find it.
		b.makeCSR(csrOf(t, "csr-1", "w3", nil))
		b.last("waiting for the host")
		broken.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		broken.Stop()
		time.Sleep(watch.Heartbeat)
		synctest.Wait()
		b.last("csr-1 is pending")
	})
}

func TestFollowEndsWhenItMayNotWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("list", "certificatesigningrequests", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Group: "certificates.k8s.io",
				Resource: "certificatesigningrequests"}, "", nil)
		})
		b := follow(t, client, ours(t), time.Hour)
		b.end(Awaited, "certificatesigningrequests.certificates.k8s.io")
		if !apierrors.IsForbidden(b.err) {
			t.Errorf("got %v", b.err)
		}
	})
}

func TestFollowInterruptedSaysHowFarItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := follow(t, fake.NewClientset(), ours(t), time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.cancel()
		b.end(Issued, "interrupted while waiting for host w3 to be Ready")
		jointest.WantClass(t, b.err, plan.Interrupted, "interrupted")
	})
}

// A pod without a sandbox is "starting" for ever: what keeps it is in an event alone
// (kubernetes/kubeadm#1124).
func TestAWaitSaysWhyAnAgentGetsNoSandbox(t *testing.T) {
	for _, reason := range []string{"PodInitializing", "ContainerCreating"} {
		t.Run(reason, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { withoutSandbox(t, reason) }) })
	}
}

func withoutSandbox(t *testing.T, reason string) {
	t.Helper()
	client := fake.NewClientset()
	jointest.Allow(client, jointest.Nothing)
	b := follow(t, client, ours(t), time.Hour)
	csr := csrOf(t, "csr-1", "w3", nil)
	issued(csr)
	b.makeCSR(csr)
	b.makeNode(jointest.Node("w3", corev1.ConditionFalse, "cni plugin not initialized"))
	pod := agent("w3", reason, "")
	pod.UID = "u1"
	_, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	b.must(err)
	_, err = client.CoreV1().Events(pod.Namespace).Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: "e"}, Reason: "FailedCreatePodSandBox",
		InvolvedObject: corev1.ObjectReference{Name: pod.Name, UID: "u1"}, Message: "open /run/r.conf: no such file",
	}, metav1.CreateOptions{})
	b.must(err)
	time.Sleep(2 * watch.Heartbeat)
	synctest.Wait()
	b.last("kube-flannel/kube-flannel-ds-x: open /run/r.conf: no such file (20s; look at it: kubectl -n kube-flannel describe pod " +
		"kube-flannel-ds-x)")
	b.cancel()
	b.end(Registered, "kube-flannel/kube-flannel-ds-x: open /run/r.conf: no such file")
}
