// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	kubeletUnit = "kubelet.service"
	// mostOfKubelet is how many characters of the kubelet's words are told.
	mostOfKubelet = 400
	// mostOfJournal bounds how much of the journal is read: 200 lines.
	mostOfJournal = 1 << 20
)

// ofKubelet reports whether kubeadm has ended because of the kubelet: it says no more than that it
// is not healthy (cmd/kubeadm/app/phases/kubelet, 1.36).
func ofKubelet(output string) bool {
	return strings.Contains(output, "kubelet is not healthy") || strings.Contains(output, "kubelet isn't running") ||
		strings.Contains(output, "error execution phase kubelet-")
}

// kubeletSays is the last error that the kubelet has written to the journal; empty if there is none
// that can be read.
func kubeletSays(ctx context.Context, h host.Local) string {
	said, err := h.Run(ctx, host.Command{Name: "journalctl", Args: []string{"--unit", kubeletUnit, "--boot", "--lines", "200",
		"--output", "cat", "--no-pager", "--quiet"}, Timeout: 20 * time.Second, Most: mostOfJournal})
	if err != nil {
		return ""
	}
	return lastError(said)
}

// lastError is the last error in a kubelet's words, without what a log puts before it, and without what
// opens anything.
func lastError(said string) (last string) {
	klog := regexp.MustCompile(`^[EF]\d{4} [0-9:.]+ +\d+ [^\]]{1,100}\] (.+)$`)
	plain := regexp.MustCompile(`^(?:Error: |\{.*"err":).+$`)
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if found := klog.FindStringSubmatch(line); found != nil {
			last = found[1]
		} else if plain.MatchString(line) {
			last = line
		}
	}
	secret := regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b|eyJ[A-Za-z0-9_.-]{8,}|(?i:bearer|authorization:?) +\S+|-----BEGIN.*`)
	return text.Short(secret.ReplaceAllString(last, "***"), mostOfKubelet)
}

// withKubelet adds to an error of kubeadm's what the kubelet has said last, where it is the kubelet's.
func withKubelet(ctx context.Context, h host.Local, err error, output string) error {
	if !ofKubelet(output) {
		return err
	}
	if last := kubeletSays(ctx, h); last != "" {
		err = fmt.Errorf("%w; the kubelet's last error: %s", err, last)
	}
	return plan.Hint(err, "see all of it on the host: journalctl -u kubelet; mend what the kubelet names there, or in the cluster's "+
		"kubelet-config (kubectl -n kube-system edit configmap kubelet-config), and run the command again")
}

const (
	// staysFor is how long a kubelet has to run before it counts as one that stays, look how often
	// it is looked. systemd waits ten seconds before it starts it again.
	staysFor = 5 * time.Second
	look     = 500 * time.Millisecond
)

// Stays is an error if the kubelet of a host that has joined ends again and again: kubeadm is content
// with one that was healthy once.
func (j Join) Stays(ctx context.Context) error {
	for until := time.Now().Add(staysFor); time.Now().Before(until); {
		unit, err := j.Host.Unit(ctx, kubeletUnit)
		if err != nil {
			return nil //nolint:nilerr // without systemd's word nothing is said of it
		}
		if unit.Active == "failed" || unit.Active == "activating" {
			said := fmt.Errorf("kubeadm join has ended well, and the kubelet has not: systemd says that it is %s", unit.Active)
			return withKubelet(ctx, j.Host, said, "the kubelet is not healthy")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(look):
		}
	}
	return nil
}
