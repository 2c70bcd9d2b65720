// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// statusText is how an API server answers by itself.
func statusText(code int, message string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":"X","code":%d}`,
		message, code)
}

// answers are ways to be answered, or not, when a kubelet is asked.
func answers() map[string]struct {
	code int
	body string
	want proof
	says string
} {
	dial := func(cause string) string { return statusText(503, unreached+cause) }
	return map[string]struct {
		code int
		body string
		want proof
		says string
	}{
		"the kubelet is well":                           {200, "ok", life, `"ok"`},
		"a kubelet that does not accept the API server": {401, "Unauthorized", life, "Unauthorized"},
		"a kubelet that forbids it to the API server": {403,
			"Forbidden (user=kube-apiserver-kubelet-client, verb=get, resource=nodes, subresource(s)=[proxy])\n", life, "Forbidden"},
		"a kubelet that is not well": {500, "[+]ping ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n",
			life, "answers"},
		"one may not ask": {403,
			statusText(403, `nodes "w1" is forbidden: User "ann" cannot get resource "nodes/proxy"`), doubt, "you may not get nodes/proxy"},
		"one's credentials are not accepted": {401, statusText(401, "Unauthorized"), doubt, "credentials"},
		"the API server has too much to do":  {429, statusText(429, "too many requests"), doubt, "429"},
		"the API server does not know a node's address": {500, statusText(500, "no preferred addresses found; known addresses: []"),
			doubt, "no preferred addresses"},
		"the API server gives no time": {504,
			statusText(504, "request did not complete within the allotted timeout"), doubt, "504"},
		"a load balancer without an API server": {503, "<html>503 Service Unavailable</html>", doubt, "something between here"},
		"a load balancer that gives up":         {504, "<html>504 Gateway Time-out</html>", doubt, "504"},
		"a gateway":                             {502, "Bad Gateway", doubt, "502"},
		"a proxy's login":                       {200, "<html>log in</html>", doubt, "something between here"},
		"a proxy that sends elsewhere":          {302, "", doubt, "302"},
		"a proxy that forbids it":               {403, "<html>403 Forbidden</html>", doubt, "403"},
		"a server that has no such path":        {404, "404 page not found", doubt, "404"},
		"a host that is off: its address is not found": {503, dial("dial tcp 192.0.2.7:10250: connect: no route to host"),
			silence, "no route"},
		"a host that is off: nothing comes back":           {503, dial("dial tcp 192.0.2.7:10250: i/o timeout"), silence, "i/o timeout"},
		"a host that is frozen: TCP answers, nothing else": {503, dial("net/http: TLS handshake timeout"), doubt, "is up"},
		"a kubelet that hangs: it takes the question": {503,
			dial("read tcp 10.0.0.1:4242->192.0.2.7:10250: i/o timeout"), doubt, "is up"},
		"the API server has given up, and does not say where": {503, dial("context deadline exceeded"), doubt, "could not ask"},
		"the neighbour says that it is down": {503, dial("dial tcp [2001:db8::7]:10250: connect: host is down"),
			silence, "host is down"},
		"a machine that refuses: it is up": {503, dial("dial tcp 192.0.2.7:10250: connect: connection refused"), doubt,
			"is up, and its pods may run on"},
		"a machine that hangs up": {503,
			dial("read tcp 10.0.0.1:4242->192.0.2.7:10250: read: connection reset by peer"), doubt, "is up"},
		"a machine that ends the connection":      {503, dial("EOF"), doubt, "is up"},
		"a kubelet without a serving certificate": {503, dial("remote error: tls: internal error"), doubt, "a machine answers"},
		"a certificate of another": {503,
			dial("tls: failed to verify certificate: x509: certificate is valid for 192.0.2.8, not 192.0.2.7"), doubt, "a machine answers"},
		"the API server's tunnel has no agent there": {503, dial("No agent available"), doubt, "could not ask"},
		"the API server's tunnel is not there": {503,
			dial("dial unix /run/konnectivity-server/konnectivity-server.socket: proxy timed out"), doubt, "could not ask"},
		"the node's address is a name that nobody knows": {503, dial("dial tcp: lookup w1 on 10.96.0.10:53: no such host"),
			doubt, "no such host"},
		"the API server has no network": {503, dial("dial tcp 192.0.2.7:10250: connect: network is unreachable"), doubt,
			"network is unreachable"},
		"a reason that is not known":                           {503, dial("the moon is full"), doubt, "the moon is full"},
		"an answer cannot move the cursor or write a new line": {418, "\x1b[2J\nok", doubt, `"[2J ok"`},
		"what looks like a status and is not one is no silence": {503, `{"kind":"Pod","message":"` + unreached + `i/o timeout"}`, doubt,
			"something between here"},
	}
}

func TestOnlyAConnectionThatNothingAnswersIsSilence(t *testing.T) {
	for name, tc := range answers() {
		t.Run(name, func(t *testing.T) {
			got, said := reply{code: tc.code, body: tc.body}.weigh()
			if got != tc.want || !strings.Contains(said, tc.says) || strings.ContainsAny(said, "\x1b\n") {
				t.Errorf("proof %d, want %d; said %q", got, tc.want, said)
			}
		})
	}
	if got, said := (reply{err: errors.New("x509: unknown authority")}).weigh(); got != doubt ||
		!strings.Contains(said, "could not be asked") {
		t.Errorf("an API server that is not reached: %d, %q", got, said)
	}
}

func quiet(string, ...any) {}

// transport is a server without a network.
type transport func(*http.Request) (*http.Response, error)

// RoundTrip answers.
func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func text200(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

// clusterOf is a cluster whose kubelet on w1 answers by a function.
func clusterOf(client *fake.Clientset, answer transport) runner.Cluster {
	return runner.Cluster{Client: client, Config: &rest.Config{Host: "https://api.example", Transport: answer}}
}

func TestANodeIsGivenUpOnlyOnSilenceOrAPersonsWord(t *testing.T) {
	for name, tc := range answers() {
		for _, hostOff := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, confirmed %v", name, hostOff), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cluster := clusterOf(flowtest.Permissive(t, nil, flowtest.SilentNode(), flowtest.KubeadmConfig()),
						func(*http.Request) (*http.Response, error) { return text200(tc.code, tc.body), nil })
					heard, err := RequireDead(t.Context(), cluster, flowtest.SilentNode(), hostOff, quiet)
					if given := tc.want == silence || tc.want == doubt && hostOff; given != (err == nil) {
						t.Fatalf("error %v", err)
					}
					if err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || strings.Contains(plan.HintOf(err),
						"--confirm-host-off") != (tc.want == doubt)) {
						t.Errorf("error %v, hint %q", err, plan.HintOf(err))
					}
					if err == nil && (heard.Warning != "") != (tc.want == doubt) {
						t.Errorf("warning %q", heard.Warning)
					}
				})
			})
		}
	}
}

// A kubelet that hangs, on a host that thrashes or waits for a dead NFS server, has a
// kernel that takes connections for it, and pods that run on.
func TestAKernelThatTakesTheConnectionIsNoSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody ever accepts
	client := http.Client{Transport: &http.Transport{TLSHandshakeTimeout: 100 * time.Millisecond}}
	_, err = client.Get("https://" + l.Addr().String())
	var wrapped *url.Error
	if !errors.As(err, &wrapped) {
		t.Fatal(err)
	}
	if got, said := (reply{code: 503, body: statusText(503, unreached+wrapped.Err.Error())}).weigh(); got != doubt {
		t.Errorf("proof %d: %s", got, said)
	}
}

func TestAKubeletThatNeverAnswersIsNotProvenSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		_, err := RequireDead(t.Context(), clusterOf(flowtest.Permissive(t, nil, flowtest.SilentNode(), flowtest.KubeadmConfig()), hangs),
			flowtest.SilentNode(), false, quiet)
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--confirm-host-off") {
			t.Error(err)
		}
	})
}

// A kubelet of which nobody knows what it answers gets little room.
func TestAnEndlessAnswerIsCut(t *testing.T) {
	endless := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(zeros{}), Header: http.Header{}}, nil
	}
	got := pulse{clusterOf(flowtest.Permissive(t, nil), endless), flowtest.SilentNode()}.get(t.Context(), "healthz", "", askLimit)
	if len(got.body) != askMost {
		t.Errorf("%d bytes were read", len(got.body))
	}
}

type zeros struct{}

// Read never ends.
func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestWhatAKubeletWritesDuringTheVigilIsASignOfLife(t *testing.T) {
	gvr := corev1.SchemeGroupVersion.WithResource
	for name, tc := range map[string]struct {
		change func(*fake.Clientset)
		says   string
	}{
		"nothing": {},
		"its lease": {func(c *fake.Clientset) {
			now := metav1.NowMicro()
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: "w1"},
				Spec: coordinationv1.LeaseSpec{RenewTime: &now}}
			_ = c.Tracker().Update(coordinationv1.SchemeGroupVersion.WithResource("leases"), lease, corev1.NamespaceNodeLease)
		}, "renewed its lease"},
		"its lease, which cannot be watched": {func(c *fake.Clientset) {
			now := metav1.NowMicro()
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: "w1"},
				Spec: coordinationv1.LeaseSpec{RenewTime: &now}}
			_ = c.Tracker().Update(coordinationv1.SchemeGroupVersion.WithResource("leases"), lease, corev1.NamespaceNodeLease)
		}, "its lease"},
		"a heartbeat of the Node": {func(c *fake.Clientset) {
			n := flowtest.SilentNode()
			n.Status.Conditions[0].LastHeartbeatTime = metav1.Now()
			_ = c.Tracker().Update(gvr("nodes"), n, "")
		}, "heartbeat Ready"},
		"a container's state": {func(c *fake.Clientset) {
			pod := flowtest.BoundPod("a", "w1")
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", RestartCount: 2}}
			_ = c.Tracker().Update(gvr("pods"), pod, "shop")
		}, "containers: the status of pod shop/a"},
		"what the node controller writes is none": {func(c *fake.Clientset) {
			n, pod, now := flowtest.SilentNode(), flowtest.BoundPod("a", "w1"), metav1.Now()
			n.Status.Conditions[0].LastTransitionTime = now
			n.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/unreachable", Effect: corev1.TaintEffectNoExecute}}
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: now}}
			pod.DeletionTimestamp = &now
			_ = c.Tracker().Update(gvr("nodes"), n, "")
			_ = c.Tracker().Update(gvr("pods"), pod, "shop")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: "w1"}}
				client := flowtest.Permissive(t, nil, flowtest.SilentNode(), flowtest.KubeadmConfig(), flowtest.BoundPod("a", "w1"), lease)
				if tc.change != nil {
					timer := time.AfterFunc(10*time.Second, func() { tc.change(client) })
					defer timer.Stop()
				}
				if strings.Contains(name, "cannot be watched") {
					client.PrependReactor("list", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
						return true, nil,
							errors.New("no")
					})
				}
				off := func(*http.Request) (*http.Response, error) {
					return text200(503, statusText(503, unreached+"dial tcp 192.0.2.7:10250: connect: no route to host")), nil
				}
				_, err := RequireDead(t.Context(), clusterOf(client, off), flowtest.SilentNode(), true, quiet)
				if tc.says == "" && err != nil || tc.says != "" && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.says)) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestWritingsOfTheKubeletAloneAreItsTraces(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return &metav1.Time{Time: time.Unix(seconds, 0)} }
	object := func(manager string, seconds int64) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "w1", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: manager, Subresource: "status",
			Time: at(seconds)}}}
	}
	for name, tc := range map[string]struct {
		manager string
		seconds int64
		says    string
	}{
		"the kubelet, later":                {"kubelet", 2, "its CSINode"},
		"the kubelet, the same as before":   {"kubelet", 1, ""},
		"a clock that goes back is a trace": {"kubelet", 0, "its CSINode"},
		"a controller":                      {"kube-controller-manager", 2, ""},
	} {
		before := tracesOf(flowtest.SilentNode(), &storagev1.CSINode{ObjectMeta: object(tc.manager, 1)}, nil)
		after := tracesOf(flowtest.SilentNode(), &storagev1.CSINode{ObjectMeta: object(tc.manager, tc.seconds)}, nil)
		if got := after.stirred(before); (got == "") != (tc.says == "") || !strings.Contains(got, tc.says) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A host that was reset by hand is neither off nor can its kubelet come back.
func TestTheWayOutOfAHostWithoutAKubeletIsToCleanIt(t *testing.T) {
	for cause, want := range map[string]bool{
		"dial tcp 192.0.2.7:10250: connect: connection refused": true,
		"net/http: TLS handshake timeout":                       false,
		"dial tcp 192.0.2.7:10250: connect: no route to host":   false,
		"proxy error: agent is gone":                            false,
	} {
		_, said := weighDial(cause)
		if got := strings.Contains(doubtHint(said), cleanedByHand); got != want {
			t.Errorf("%s: %v, %q", cause, got, doubtHint(said))
		}
	}
}
