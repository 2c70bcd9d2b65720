// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// etcd asks the control plane's own etcd, over its JSON gateway.
func (b *bed) etcd(t *testing.T, path, question string) string {
	t.Helper()
	return b.host(t, b.controlPlane, "cd /etc/kubernetes/pki/etcd && curl -sS --fail-with-body --cacert ca.crt --cert server.crt --key "+
		"server.key https://127.0.0.1:2379"+path+" -d '"+question+"'")
}

// controlPlaneLeaves: a second control plane joins and is removed: its etcd
// member, which leads, hands over and leaves; its host is as before; the last
// control plane is refused, with nothing changed.
func (b *bed) controlPlaneLeaves(t *testing.T) {
	t.Helper()
	b.joinControlPlane(t)
	if got := b.etcdMembers(t); len(got) != 2 {
		t.Fatalf("members of etcd: %v", got)
	}
	b.unchanged(t, b.blank, func() {
		o := b.must(t, "remove", b.blank, "--dry-run=server")
		if !strings.Contains(o.stdout, "etcd-member") || !strings.Contains(o.stdout, "/var/lib/etcd") {
			t.Errorf("the dry run does not name the etcd member and its data:\n%s", o.stdout)
		}
	})
	before := b.names(t, b.blank)
	// At the last moment: on a slow machine an election may follow at any time.
	eventually(t, time.Minute, "the member that leaves leads", func() (bool, string) {
		b.etcd(t, "/v3/maintenance/transfer-leadership", `{"targetID": "`+b.memberID(t, b.blank)+`"}`)
		status := b.etcd(t, "/v3/maintenance/status", "{}")
		return strings.Contains(status, `"leader":"`+b.memberID(t, b.blank)+`"`), status
	})
	o := b.must(t, "remove", b.blank, "--yes", "--delete-emptydir-data")
	b.took("remove of a control plane", o.took)
	o.says(t, "handing the leadership over to "+b.controlPlane, "has left the etcd cluster", "only one control-plane node is left")
	if members := b.etcdMembers(t); len(members) != 1 || members[0] != b.controlPlane {
		t.Errorf("members of etcd: %v, want the one of %s", members, b.controlPlane)
	}
	if status := b.etcd(t, "/v3/maintenance/status", "{}"); !strings.Contains(status, `"leader":"`+b.memberID(t, b.controlPlane)+`"`) ||
		strings.Contains(status, `"errors"`) {
		t.Errorf("etcd: %s", status)
	}
	b.isPristine(t, b.blank, b.pristine)
	maps.DeleteFunc(before, func(name, _ string) bool { return strings.HasSuffix(name, "of Node "+b.blank) }) // its static pods
	b.isGone(t, before)
	b.apiServers(t)
	b.refuses(t, "", refusal{"remove of the last control plane", []string{"remove", b.controlPlane, "--yes"}, 4,
		[]string{"is the only control-plane node", "join another"}, nil})
}

// joinControlPlane joins the blank host as another control plane, by the command that
// is printed; what lay in the cluster for it goes with its token.
func (b *bed) joinControlPlane(t *testing.T) {
	t.Helper()
	o := b.must(t, "join", "--control-plane", "-o", "command", "--ttl", "10m",
		"--ignore-preflight-errors=SystemVerification,Swap,FileContent--proc-sys-net-bridge-bridge-nf-call-iptables")
	line := strings.TrimSpace(o.stdout)
	parts := regexp.MustCompile(`--token (\S{6})\.\S{16} .*--control-plane --certificate-key ([0-9a-f]{64})`).FindStringSubmatch(line)
	if parts == nil {
		t.Fatal("no command of a control plane was printed")
	}
	id, key := parts[1], parts[2]
	b.ears.learn(key, "certificate key")
	if files := b.kubectl(t, "", "-n", "kube-system", "get", "secret", "kubeadm-certs", "-o", "jsonpath={.data}"); !strings.Contains(files,
		"etcd-ca.key") || strings.Contains(files, "LS0tLS1CRUdJTi") {
		t.Error("secret kubeadm-certs lacks etcd's key, or holds a file that is not encrypted")
	}
	b.run(t, 4, "join", "--control-plane").says(t, "another control plane is joining", "join revoke "+id)
	start := time.Now()
	b.host(t, b.blank, line)
	b.took("kubeadm join --control-plane", time.Since(start))
	b.must(t, "join", "revoke", id)
	eventually(t, time.Minute, "the certificates have gone with the token", func() (bool, string) {
		left, err := b.tryKubectl(t, "", "-n", "kube-system", "get", "secret/kubeadm-certs", "role/kubeadm:kubeadm-certs",
			"rolebinding/kubeadm:kubeadm-certs", "--ignore-not-found", "-o", "name")
		return err == nil && strings.TrimSpace(left) == "", left
	})
	eventually(t, 2*time.Minute, "the second control plane is Ready, and its taint of before is gone", func() (bool, string) {
		node := b.node(t, b.blank)
		if node == nil {
			return false, "no Node"
		}
		waits := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		return isReady(node) && !waits, fmt.Sprint(node.Spec.Taints)
	})
	b.kubectl(t, "", "wait", "--for=condition=Ready", "--timeout=90s", "pods", "--all", "-A", "--field-selector=spec.nodeName="+b.blank)
}

// members are those of the etcd cluster: their numbers, by name.
func (b *bed) members(t *testing.T) map[string]string {
	t.Helper()
	var list struct {
		Members []struct{ ID, Name string }
	}
	if text := b.etcd(t, "/v3/cluster/member/list", "{}"); json.Unmarshal([]byte(text), &list) != nil {
		t.Fatalf("the members of etcd: %s", text)
	}
	found := map[string]string{}
	for _, m := range list.Members {
		found[m.Name] = m.ID
	}
	return found
}

func (b *bed) etcdMembers(t *testing.T) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(b.members(t)))
}

func (b *bed) memberID(t *testing.T, name string) string {
	t.Helper()
	id := b.members(t)[name]
	if id == "" {
		t.Fatalf("etcd has no member %s", name)
	}
	return id
}

// apiServers waits until the cluster knows of one API server only, and asks it.
func (b *bed) apiServers(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "only one API server is left", func() (bool, string) {
		got := b.kubectl(t, "", "get", "endpointslices", "-n", "default", "-l", "kubernetes.io/service-name=kubernetes", "-o",
			"jsonpath={.items[*].endpoints[*].addresses[*]}")
		return len(strings.Fields(got)) == 1, got
	})
	if code := b.tokenAnswer(t, "none"); code != http.StatusUnauthorized {
		t.Errorf("the API server answers %d", code)
	}
}
