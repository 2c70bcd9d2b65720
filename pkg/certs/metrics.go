// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bufio"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Lifetime is how long a kubelet says that its certificates are valid; nil where it says
// nothing of one.
type Lifetime struct {
	Client, Serving *time.Duration
	// ClientErrors is how often it could not renew the one, ServingErrors the other.
	ClientErrors, ServingErrors float64
}

// mostOfMetrics bounds how much of a kubelet's metrics is read: they are sorted by name,
// and it has some hundred kilobytes before these.
const mostOfMetrics = 16 << 20

// Lifetimes reads the metrics of a kubelet (kubernetes/pkg/kubelet/metrics:
// certificate_manager), and stops once it has what it needs.
func Lifetimes(metrics io.Reader) (Lifetime, error) {
	var l Lifetime
	lines := bufio.NewScanner(io.LimitReader(metrics, mostOfMetrics))
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	within := false
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(line, " ")
		if !strings.HasPrefix(name, "kubelet_certificate_manager_") && name != "kubelet_server_expiration_renew_errors" {
			// They are sorted: what comes after these has nothing more to say.
			if within && name > "kubelet_server_expiration_renew_errors" {
				break
			}
			continue
		}
		within = true
		number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if !found || err != nil {
			continue
		}
		l.add(name, number)
	}
	return l, lines.Err()
}

func (l *Lifetime) add(name string, number float64) {
	switch name {
	case "kubelet_certificate_manager_client_ttl_seconds":
		l.Client = seconds(number)
	case "kubelet_certificate_manager_server_ttl_seconds":
		l.Serving = seconds(number)
	case "kubelet_certificate_manager_client_expiration_renew_errors":
		l.ClientErrors = number
	case "kubelet_server_expiration_renew_errors":
		l.ServingErrors = number
	}
}

// seconds is a number of seconds; nil for what is none. A kubelet without a certificate
// says +Inf.
func seconds(n float64) *time.Duration {
	const most = 100 * 365 * 24 * 3600
	if math.IsNaN(n) || math.IsInf(n, 0) || math.Abs(n) > most {
		return nil
	}
	d := time.Duration(n * float64(time.Second))
	return &d
}
