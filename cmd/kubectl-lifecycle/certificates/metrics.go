// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// metrics are certificates in Prometheus' text format, as the textfile collector of
// node_exporter and a Pushgateway take it. Two rows with the same labels would have all of it
// refused, so the later one is numbered.
func metrics(result certs.Result) []byte {
	const ends, status, notSeen = "kubectl_lifecycle_certificate_expires_timestamp_seconds", "kubectl_lifecycle_certificate_status",
		"kubectl_lifecycle_certificates_not_seen"
	labels := labelsOf(result.Rows)
	lines := head(ends, "When a certificate ends, as Unix time.")
	for i, r := range result.Rows {
		if r.Expires != nil {
			lines = append(lines, fmt.Sprintf("%s{%s} %d", ends, labels[i], r.Expires.Unix()))
		}
	}
	lines = append(lines, head(status, "What is said of a certificate; always 1.")...)
	for i, r := range result.Rows {
		lines = append(lines, fmt.Sprintf("%s{%s,status=%s} 1", status, labels[i], label(string(r.Status))))
	}
	lines = append(lines, head(notSeen, "How much could not be looked at.")...)
	lines = append(lines, fmt.Sprintf("%s %d", notSeen, len(result.Unseen)))
	return []byte(strings.Join(lines, "\n") + "\n")
}

func head(name, help string) []string {
	return []string{"# HELP " + name + " " + help, "# TYPE " + name + " gauge"}
}

// labelsOf are the labels of each row.
func labelsOf(rows []certs.Row) (all []string) {
	seen := map[string]int{}
	for _, r := range rows {
		one := fmt.Sprintf("node=%s,certificate=%s,ca=%s,managed_by=%s,where=%s", label(r.Node), label(r.Name), label(r.CA), label(r.ManagedBy),
			label(r.Where))
		if seen[one]++; seen[one] > 1 {
			one += fmt.Sprintf(`,number="%d"`, seen[one])
		}
		all = append(all, one)
	}
	return all
}

// label is the value of a label, in quotes. Prometheus knows three escapes; whatever a terminal
// would obey is shown as text before.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text.Line(value)) + `"`
}
