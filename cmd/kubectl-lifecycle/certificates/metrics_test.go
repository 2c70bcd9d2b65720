// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
)

// What Prometheus reads has one sample in a line, labels with its three escapes, and no two
// samples with the same labels.
func TestCertificatesAreMetricsThatPrometheusReads(t *testing.T) {
	ends := time.Unix(1893456000, 0)
	result := certs.Result{
		Rows: []certs.Row{
			{Node: "cp1", Name: "apiserver", CA: "ca", ManagedBy: certs.ByKubeadm, Where: "/etc/kubernetes/pki/apiserver.crt", Expires: &ends,
				Status: certs.OK},
			{Node: "cp1", Name: "twice", ManagedBy: "-", Expires: &ends, Status: certs.Expiring},
			{Node: "cp1", Name: "twice", ManagedBy: "-", Expires: &ends, Status: certs.Expiring},
			{Node: "cp1", Name: "gone", ManagedBy: "-", Status: certs.Missing},
			{Node: "evil\"} 1\nup 0", Name: `back\slash`, Where: "\x1b[2J", ManagedBy: "-", Expires: &ends, Status: certs.Wrong},
		},
		Unseen: []certs.Unseen{{What: "a", Why: "b"}},
	}
	out := string(metrics(result))
	sample := regexp.MustCompile(`^[a-z_]+(\{[a-z_]+="(?:\\[\\"n]|[^"\\])*"(?:,[a-z_]+="(?:\\[\\"n]|[^"\\])*")*\})? [0-9]+$`)
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") {
			continue
		}
		if !sample.MatchString(line) || strings.ContainsAny(line, "\x1b") || strings.HasPrefix(line, "up ") {
			t.Errorf("no sample: %q", line)
		}
		if labels := line[:strings.LastIndex(line, " ")]; seen[labels] {
			t.Errorf("twice: %s", labels)
		} else {
			seen[labels] = true
		}
	}
	for _, want := range []string{
		`kubectl_lifecycle_certificate_expires_timestamp_seconds{node="cp1",certificate="apiserver",ca="ca",managed_by="kubeadm",` +
			`where="/etc/kubernetes/pki/apiserver.crt"} 1893456000`,
		`certificate="gone",ca="",managed_by="-",where="",status="missing"} 1`,
		`kubectl_lifecycle_certificates_not_seen 1`, `certificate="back\\slash"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if len(seen) != 4+5+1 {
		t.Errorf("%d samples", len(seen))
	}
}
