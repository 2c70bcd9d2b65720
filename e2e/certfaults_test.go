// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// slow skips what only "make e2e-full" runs.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("E2E_FULL") != "yes" {
		t.Skip("slow: E2E_FULL=yes runs it")
	}
}

// certificateFiles is one sum of all that a renewal may change on a control plane, and what
// it must not have left beside it.
const certificateFiles = `cd /etc/kubernetes && sha256sum *.conf pki/*.crt pki/*.key pki/etcd/*.crt pki/etcd/*.key | sha256sum
find /etc/kubernetes -name '.kubectl-lifecycle*'`

// stageCertificateFaults: what goes wrong in the middle of a renewal is taken back and said,
// with exit code 1.
func (b *bed) stageCertificateFaults(t *testing.T) {
	b.withNetwork(t)
	t.Run("a file is cut short", func(t *testing.T) {
		b.faultyRenewal(t, "ulimit -f 0", "renew etcd-peer", "file too large")
	})
	t.Run("the key of an authority is another one", func(t *testing.T) {
		const key = "/etc/kubernetes/pki/etcd/ca.key"
		b.host(t, b.controlPlane, "cp -a "+key+" /root/ca.key")
		t.Cleanup(func() { b.host(t, b.controlPlane, "cp -a /root/ca.key "+key) })
		b.faultyRenewal(t, "openssl genrsa 2048 > "+key+" 2>/dev/null", "renew etcd-peer", "doesn't match parent's PublicKey")
		b.run(t, 4, "certs", "renew", "all", "--force", "--yes").says(t, "authority etcd-ca on "+b.controlPlane+": its key does not match it")
	})
	t.Run("the kubelet stops", b.kubeletStopsInTheMiddle)
	t.Run("the API server does not come back", b.brokenManifest)
	b.must(t, "certs", "check", "--deep")
	b.nothingOfRenewals(t)
}

// faultyRenewal renews with a kubeadm before which something happens in the middle; all is
// put back, and in use.
func (b *bed) faultyRenewal(t *testing.T, happens string, texts ...string) {
	t.Helper()
	key := strings.Contains(happens, "ca.key")
	before := b.host(t, b.controlPlane, certificateFiles)
	b.beforeKubeadm(t, happens)
	o := b.run(t, 1, "certs", "renew", "all", "--force", "--yes")
	o.says(t, append(texts, "the earlier certificates are in place there, and in use again")...)
	if after := b.host(t, b.controlPlane, certificateFiles); after != before && !key {
		t.Errorf("before:\n%s\nafterwards:\n%s", before, after)
	}
}

// beforeKubeadm puts a program in front of kubeadm that does something when etcd-peer, one
// of the last, is renewed.
func (b *bed) beforeKubeadm(t *testing.T, happens string) {
	t.Helper()
	t.Cleanup(func() { b.host(t, b.controlPlane, "rm -f /usr/local/bin/kubeadm") })
	b.host(t, b.controlPlane, "cat > /usr/local/bin/kubeadm <<'E'\n#!/bin/sh\nif [ \"$3\" = etcd-peer ]; then\n"+happens+
		"\nfi\nexec /usr/bin/kubeadm \"$@\"\nE\nchmod 755 /usr/local/bin/kubeadm")
}

// kubeletStopsInTheMiddle: a program that nothing would start again is not ended, and nothing is left
// half done.
func (b *bed) kubeletStopsInTheMiddle(t *testing.T) {
	slow(t)
	before := b.host(t, b.controlPlane, certificateFiles)
	programs := b.host(t, b.controlPlane, "pidof kube-controller-manager kube-scheduler")
	b.beforeKubeadm(t, "systemctl stop kubelet")
	r := b.start(t, "certs", "renew", "all", "--force", "--yes")
	eventually(t, 2*time.Minute, "the kubelet is stopped", func() (bool, string) {
		state, _ := b.tryHost(t, b.controlPlane, "systemctl is-active kubelet")
		return strings.TrimSpace(state) == "inactive", state
	})
	b.unitEnds(t, 2*time.Minute)
	if after := b.host(t, b.controlPlane, certificateFiles+"; pidof kube-controller-manager kube-scheduler"); after != before+programs {
		t.Errorf("before:\n%s%s\nafterwards:\n%s", before, programs, after)
	}
	b.host(t, b.controlPlane, "rm /usr/local/bin/kubeadm; systemctl start kubelet")
	if o := r.wait(t); o.code != 0 { // the order is sent again where a program cannot be streamed
		o.says(t, "the certificates there are as they were")
	}
	eventually(t, time.Minute, "the node is Ready", func() (bool, string) { return isReady(b.node(t, b.controlPlane)), "" })
}

func (b *bed) unitEnds(t *testing.T, limit time.Duration) {
	t.Helper()
	eventually(t, limit, "the unit has ended", func() (bool, string) {
		state, _ := b.tryHost(t, b.controlPlane, "systemctl is-active kubectl-lifecycle-certs.service")
		return strings.TrimSpace(state) == "inactive", state
	})
}

// brokenManifest: an API server that does not start any more has nothing to do with its
// certificates; the earlier ones are put back all the same, and what is wrong is said when it
// answers again.
func (b *bed) brokenManifest(t *testing.T) {
	slow(t)
	const manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	before := b.host(t, b.controlPlane, certificateFiles)
	b.beforeKubeadm(t, `sed -i 's/    - kube-apiserver$/    - kube-apiserver\n    - --no-such-flag/' `+manifest)
	r := b.start(t, "certs", "renew", "all", "--force", "--yes")
	eventually(t, time.Minute, "the manifest is broken", func() (bool, string) {
		_, err := b.tryHost(t, b.controlPlane, "grep -q no-such-flag "+manifest)
		return err == nil, r.err.String()
	})
	b.unitEnds(t, 10*time.Minute)
	if after := b.host(t, b.controlPlane, certificateFiles); !strings.HasPrefix(after, strings.TrimSpace(before)) {
		t.Errorf("before:\n%s\nafterwards:\n%s", before, after)
	}
	b.host(t, b.controlPlane, "sed -i /no-such-flag/d "+manifest)
	o := r.wait(t)
	if o.code != 1 {
		t.Errorf("exit code %d", o.code)
	}
	o.says(t, "neither finished nor undone", "the host says: kube-apiserver does not use the certificate")
	b.must(t, "certs", "renew", "all", "--yes")
}
