// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"testing"
)

// Every moment of a move at which the program can be started again, by what is
// on the disk then.
func TestAHostThatHasJoinedIsNeverTakenForOneThatHasNot(t *testing.T) {
	for name, tc := range map[string]struct {
		trace Trace
		want  Standing
	}{
		"before anything: the old cluster's kubelet.conf":         {Trace{Kubeconfig: Others, Certificate: true}, Apart},
		"the old cluster has the same CA, under another endpoint": {Trace{Kubeconfig: Theirs, Certificate: true}, Apart},
		"the old cluster's kubelet.conf is damaged":               {Trace{Kubeconfig: Unclear, Certificate: true}, Apart},
		"in the middle of the cleaning: the credentials are gone": {Trace{}, Apart},
		"the host is clean, kubeadm has not begun":                {Trace{Cleaned: true}, Apart},
		"kubeadm has written bootstrap-kubelet.conf only":         {Trace{Cleaned: true}, Apart},
		"the kubelet has written kubelet.conf and waits for its certificate": {Trace{Cleaned: true, Kubeconfig: Theirs,
			Endpoint: true}, Apart},
		"it has its certificate, and kubeadm still waits": {Trace{Cleaned: true, Kubeconfig: Theirs, Endpoint: true,
			Certificate: true}, Arrived},
		"the same, and cluster-info names another endpoint": {Trace{Cleaned: true, Kubeconfig: Theirs,
			Certificate: true}, Arrived},
		"a power cut has damaged its kubelet.conf": {Trace{Cleaned: true, Kubeconfig: Unclear,
			Certificate: true}, Arrived},
		"a power cut has damaged it before there was a certificate": {Trace{Cleaned: true, Kubeconfig: Unclear}, Apart},
		"kubeadm has ended well": {Trace{Noted: true, Cleaned: true, Kubeconfig: Theirs,
			Endpoint: true, Certificate: true}, Arrived},
		"it has joined, and its files are gone since": {Trace{Noted: true, Cleaned: true}, Arrived},
		"it has joined, and what was written down about the cleaning is gone": {Trace{Noted: true, Kubeconfig: Theirs, Endpoint: true,
			Certificate: true}, Arrived},
		"only its kubelet.conf tells, all that was written down is gone": {Trace{Kubeconfig: Theirs, Endpoint: true,
			Certificate: true}, Arrived},
		"since it is clean, a person has joined it to a third cluster": {Trace{Cleaned: true, Kubeconfig: Others,
			Certificate: true}, Elsewhere},
		"since it is clean, a person is joining it to a third cluster": {Trace{Cleaned: true, Kubeconfig: Others}, Elsewhere},
		"since it is clean, a person has joined it to the third, without the note": {Trace{Cleaned: true, Kubeconfig: Others, Endpoint: false,
			Certificate: true}, Elsewhere},
	} {
		if got := tc.trace.Standing(); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte("clusters:\n- cluster:\n    certificate-authority-data: LS0t\n    server: https://a:6443\nusers:\n- user:\n    "+
		"client-certificate: /x.pem\n"), "a:6443")
	f.Add([]byte(`{"server": "https://a"}`), "")
	f.Add([]byte("server:\nserver: \"\x00\"\n  certificate-authority:"), "\x00")
	f.Fuzz(func(t *testing.T, raw []byte, endpoint string) {
		k := parseKubeconfig(raw)
		if len(k.ca) > len(raw) || len(k.certificate) > len(raw) || len(k.caFile) > len(raw) {
			t.Errorf("more than there was: %+v", k)
		}
		if k.names("") {
			t.Error("it names no endpoint")
		}
		k.names(endpoint)
		certificates(raw)
		sharesCertificate(raw, k.ca)
	})
}

func FuzzVersions(f *testing.F) {
	f.Add("v1.36.3", "[ERROR Port]: x\nerror: y")
	f.Add("Kubernetes v1.99999999999999999999.1", "\xff\xfe")
	f.Fuzz(func(t *testing.T, version, output string) {
		if n, err := minor(version); err == nil && n < 0 {
			t.Errorf("%q is version %d", version, n)
		}
		if said := telling(output); len(said) > mostSaid {
			t.Errorf("%d bytes are told", len(said))
		}
		_ = Versions{Kubeadm: version, Kubelet: output}.Fit(version)
	})
}
