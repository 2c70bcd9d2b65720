// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// stageThreeControlPlanes: the certificates of three control planes are renewed one after
// another, the one with etcd's leader last; a renewal that is killed between two hosts goes on
// with the next one, and nothing begins while a member of etcd is away.
func (b *bed) stageThreeControlPlanes(t *testing.T) {
	slow(t)
	b.withNetwork(t)
	b.joinControlPlane(t)
	third := *b
	third.blank = b.name + "-third"
	b.makeBlank(t, third.blank)
	third.joinControlPlane(t)
	planes := []string{b.controlPlane, b.blank, third.blank}
	t.Run("renewed", func(t *testing.T) { b.renewsThree(t, planes) })
	b.must(t, "remove", third.blank, "--yes", "--delete-emptydir-data")
	b.must(t, "remove", b.blank, "--yes", "--delete-emptydir-data")
}

func (b *bed) renewsThree(t *testing.T, planes []string) {
	t.Helper()
	b.etcd(t, "/v3/maintenance/transfer-leadership", `{"targetID": "`+b.memberID(t, planes[2])+`"}`)
	b.memberAway(t)
	b.killedBetweenHosts(t, planes)

	leader := b.leader(t)
	before := b.serialsOf(t, planes...)
	gap := b.longestGap(t)
	o := b.must(t, "certs", "renew", "all", "--force", "--yes")
	longest := gap()
	b.took("certs renew all of three control planes", o.took)
	t.Logf("| the API server of the endpoint was not ready for at most %s; %s a control plane", longest, o.took/3)
	if longest > 2*time.Second {
		t.Errorf("the API server was away for %s", longest)
	}
	order := renewedIn(o)
	if len(order) != 3 || order[2] != leader {
		t.Errorf("renewed in the order %q, and %s leads etcd", order, leader)
	}
	after := b.serialsOf(t, planes...)
	for name, serial := range before {
		if serial == "" {
			continue // it is not there: one control plane alone has a super-admin.conf
		}
		kept := strings.HasSuffix(name, " ca") || strings.HasSuffix(name, "-ca") || strings.Contains(name, " kubelet")
		if (after[name] == serial) != kept {
			t.Errorf("%s: serial %s before, %s afterwards", name, serial, after[name])
		}
	}
	check := b.must(t, "certs", "check", "--deep")
	b.took("certs check --deep of three control planes", check.took)
}

// leader is the Node on which etcd's leader is.
func (b *bed) leader(t *testing.T) string {
	t.Helper()
	status := b.etcd(t, "/v3/maintenance/status", "{}")
	for name, id := range b.members(t) {
		if strings.Contains(status, `"leader":"`+id+`"`) {
			return name
		}
	}
	t.Fatalf("etcd has no leader: %s", status)
	return ""
}

// renewedIn are the hosts in the order in which a renewal has ended there.
func renewedIn(o outcome) (order []string) {
	for line := range strings.Lines(o.stderr) {
		if rest, is := strings.CutPrefix(line, "✓ On "); is {
			name, _, _ := strings.Cut(rest, ",")
			order = append(order, name)
		}
	}
	return order
}

// memberAway: nothing is renewed while a member of etcd does not answer.
func (b *bed) memberAway(t *testing.T) {
	t.Helper()
	before := b.host(t, b.controlPlane, certificateFiles)
	b.host(t, b.blank, "mv /etc/kubernetes/manifests/etcd.yaml /root/")
	eventually(t, 3*time.Minute, "its kubelet, which asks the API server beside it, is not heard", func() (bool, string) {
		return !isReady(b.node(t, b.blank)), ""
	})
	b.run(t, 4, "certs", "renew", "all", "--force", "--yes").says(t, "control plane "+b.blank+" is not Ready")
	b.host(t, b.blank, "mv /root/etcd.yaml /etc/kubernetes/manifests/")
	if after := b.host(t, b.controlPlane, certificateFiles); after != before {
		t.Errorf("before:\n%s\nafterwards:\n%s", before, after)
	}
	eventually(t, 3*time.Minute, "all of it is well again", func() (bool, string) {
		o := b.start(t, "certs", "check", "--deep").wait(t)
		return o.code == 0, o.stderr
	})
}

// killedBetweenHosts: what a command that was killed has renewed is not renewed again. That
// the others are due is told by the lifetime that the cluster gives new certificates.
func (b *bed) killedBetweenHosts(t *testing.T, planes []string) {
	t.Helper()
	b.longerLifetime(t)
	before := b.serialsOf(t, planes...)
	r := b.start(t, "certs", "renew", "all", "--yes")
	eventually(t, 2*time.Minute, "the first host is done", func() (bool, string) {
		return strings.Contains(r.err.String(), "✓ On "), r.err.String()
	})
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := r.wait(t)
	first := renewedIn(killed)[0]
	b.unitEnds(t, 2*time.Minute)
	o := b.must(t, "certs", "renew", "all", "--yes")
	order := renewedIn(o)
	if slices.Contains(order, first) {
		t.Errorf("%s was renewed twice", first)
	}
	b.must(t, "certs", "check", "--deep")
	after := b.serialsOf(t, planes...)
	for _, name := range planes {
		for _, certificate := range []string{"apiserver", "etcd-peer", "admin.conf"} {
			if key := name + " " + certificate; before[key] == after[key] {
				t.Errorf("%s is the one that it was", key)
			}
		}
	}
	b.must(t, "certs", "renew", "all", "--yes").says(t, "nothing to renew")
}

// longerLifetime has new certificates live a day longer than those that are there.
func (b *bed) longerLifetime(t *testing.T) {
	t.Helper()
	maps := b.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	config, err := maps.Get(t.Context(), "kubeadm-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const lifetime = "certificateValidityPeriod: 87"
	if old := config.Data["ClusterConfiguration"]; !strings.Contains(old, lifetime+"60h0m0s") {
		t.Fatalf("the lifetime of certificates is not the usual one:\n%s", old)
	}
	config.Data["ClusterConfiguration"] = strings.Replace(config.Data["ClusterConfiguration"], lifetime+"60h0m0s", lifetime+"84h0m0s", 1)
	if _, err := maps.Update(t.Context(), config, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// serialsOf are those of some hosts' certificates, by "NODE NAME"; what is served is the same.
func (b *bed) serialsOf(t *testing.T, nodes ...string) map[string]string {
	t.Helper()
	out, _ := command(t, commandLimit, "", b.plugin, "--kubeconfig="+b.kubeconfig, "certs", "check", "--deep", "-o", "json")
	var all certificates
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serials := map[string]string{}
	for _, c := range all.Certificates {
		if !slices.Contains(nodes, c.Node) {
			continue
		}
		serials[c.Node+" "+c.Name] = c.Certificate.Serial
		if served := c.Served.Certificate.Serial; served != "" && served != c.Certificate.Serial {
			t.Errorf("%s: %s on the disk, %s served", c.Name, c.Certificate.Serial, served)
		}
	}
	return serials
}
