// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// proof is what came of asking a kubelet whether it lives.
type proof int

const (
	// silence: nothing answers where it should.
	silence proof = iota
	// doubt: it could not be asked, or something answers that may be another
	// machine, or the same one without its kubelet.
	doubt
	// life: it has answered.
	life
)

// reply is what comes back when a kubelet is asked through the API server: the
// kubelet's own words, those of the API server, or of a proxy before it.
type reply struct {
	code int
	body string
	// err is why nothing came back.
	err error
}

// unreached begins what an API server says that cannot reach a kubelet
// (k8s.io/apimachinery, pkg/util/proxy/transport.go).
const unreached = "error trying to reach service: "

// weigh says what a reply to a request for the kubelet's /healthz proves, with a
// few words about it. Silence is proven only by a connection that nothing
// answers: that one may not ask, or that a proxy is in the way, is none. It is
// pure.
func (r reply) weigh() (proof, string) {
	if r.err != nil {
		var timeout net.Error
		if errors.As(r.err, &timeout) && timeout.Timeout() {
			return doubt, "no answer within " + listenLimit.String() + ", neither of its kubelet nor of the API server"
		}
		return doubt, "its kubelet could not be asked: " + r.err.Error()
	}
	var status metav1.Status
	if json.Unmarshal([]byte(r.body), &status) == nil && status.Kind == "Status" {
		return r.weighStatus(status)
	}
	said := strings.TrimSpace(r.body)
	// The kubelet's own words: pkg/kubelet/server/server.go (InstallAuthFilter)
	// and k8s.io/apiserver, pkg/server/healthz.
	its := r.code == http.StatusOK && said == "ok" ||
		r.code == http.StatusUnauthorized && said == "Unauthorized" ||
		r.code == http.StatusForbidden && strings.HasPrefix(said, "Forbidden (user=") ||
		r.code == http.StatusInternalServerError && (strings.Contains(said, "[+]ping") || strings.Contains(said, "healthz check failed"))
	if its {
		return life, fmt.Sprintf("its kubelet answers %q", text.Short(said, 80))
	}
	return doubt, fmt.Sprintf("something between here and its kubelet answers with %d: %q", r.code, text.Short(said, 80))
}

// weighStatus weighs what the API server itself says.
func (r reply) weighStatus(status metav1.Status) (proof, string) {
	if cause, ok := strings.CutPrefix(status.Message, unreached); ok {
		return weighDial(cause)
	}
	switch r.code {
	case http.StatusForbidden:
		return doubt, "you may not get nodes/proxy, so its kubelet was not asked"
	case http.StatusUnauthorized:
		return doubt, "your credentials are not accepted, so its kubelet was not asked"
	}
	return doubt, fmt.Sprintf("its kubelet could not be asked: %d, %s", r.code, text.Short(status.Message, 200))
}

// weighDial weighs why an API server has no connection to the kubelet. The texts
// are those of Go's net and of the kernel. A connection that is refused, or taken
// by a machine that then says nothing (its kernel does that for a kubelet that hangs),
// has met a machine that is up: its pods may run on without a kubelet.
func weighDial(cause string) (proof, string) {
	cause = text.Short(cause, 200)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(cause, w) })
	}
	switch {
	// Before the timeouts: a tunnel to the nodes that is down has not asked.
	case has("agent", "proxy", "tunnel", "no such host", "network is unreachable"):
		return doubt, "the API server could not ask its kubelet: " + cause
	case has("handshake timeout", "read tcp", "write tcp", "awaiting headers"), has("connection refused", "connection reset", "EOF",
		"broken pipe"):
		return doubt, "a machine at its address is up, and its pods may run on: " + cause
	case strings.HasPrefix(cause, "dial ") && has("i/o timeout", "no route to host", "host is down", "connection timed out"):
		return silence, cause
	case has("tls:", "x509:"):
		return doubt, "a machine answers at its address: " + cause
	}
	return doubt, "the API server could not ask its kubelet: " + cause
}
