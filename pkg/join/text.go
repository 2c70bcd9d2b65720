// SPDX-License-Identifier: Apache-2.0

package join

import (
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// longest is how much of a foreign text is shown, in characters.
const longest = 240

// plain is what is shown of a text that a kubelet or a host wrote.
func plain(s string) string { return text.Short(s, longest) }

// short is a duration without zero units: 1h, 90s as 1m30s, 24h.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
