// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Join prepares the host and has kubeadm join it to the cluster of the delivery. A host
// that is a node there already is left as it is, one of another cluster is refused.
func Join(ctx context.Context, d wire.Delivery, talk report.Talk) (json.RawMessage, error) {
	var order prep.JoinOrder
	if err := json.Unmarshal(d.Spec.Task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	to := d.Spec.Destination
	if !complete(d) {
		return nil, errors.New("the delivery names no cluster to join")
	}
	name, err := nodeName(d.Spec.Node)
	if err != nil {
		return nil, err
	}
	out := prep.Joined{Node: name}
	join := kubeadm.Join{
		Endpoint: to.Endpoint, CA: to.CA, Pins: to.Pins, Token: d.JoinToken, Node: name, CRISocket: order.CRISocket, Version: to.Version,
		IgnorePreflightErrors: to.IgnorePreflightErrors, CertificateKey: d.CertificateKey,
	}
	unlock, err := alone(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	there, err := alreadyThere(join)
	if err != nil {
		return nil, err
	}
	if there {
		out.Already = true
		return json.Marshal(out)
	}
	order.Prep.Wanted.CRISocket = cmp.Or(order.CRISocket, order.Prep.Wanted.CRISocket)
	if out.Outcome, err = do(ctx, order.Prep, saying(talk), talk); err != nil {
		return nil, err
	}
	join.CRISocket = out.Outcome.CRISocket
	out.Outcome = out.Outcome.Shown()
	if out.Outcome.Report.Blocked() {
		out.Blocked = true
		return json.Marshal(out)
	}
	if err := join.Check(ctx); err != nil {
		return failed(out, err)
	}
	if err := run(ctx, join, "/run"); err != nil {
		if out.Begun = plan.ClassOf(err) != plan.Refused; out.Begun {
			err = begun(join, err)
		}
		return failed(out, err)
	}
	return json.Marshal(out)
}

// begun is the error of a join that has changed the host. That of a control plane may
// have brought the keys of the cluster's authorities there, which the error says.
func begun(join kubeadm.Join, err error) error {
	if join.CertificateKey == "" {
		return plan.Begun(err)
	}
	way := "the keys of the cluster's authorities may be in /etc/kubernetes/pki of this host now: " +
		"run the command again to finish the join, or take them away: lifecycle-node clean"
	if hint := plan.HintOf(err); hint != "" {
		way = hint + "\n" + way
	}
	return plan.Begun(plan.Hint(err, "%s", way))
}

// failed is the answer of a host that has not joined. What was prepared before that stays,
// and is told: an error alone would leave it out.
func failed(out prep.Joined, err error) (json.RawMessage, error) {
	if len(out.Outcome.Made) == 0 {
		return nil, err
	}
	out.Failed, out.WayOut = told(err)
	return json.Marshal(out)
}

// joinFile is the file of a join in its directory.
const joinFile = "join.json"

// forget deletes the files of joins and their directories. One join runs at a time, so
// they are of this run or of one that was killed. Nothing but the file is taken out of a
// directory, and a directory with anything else in it stays.
func forget(runDir string) error {
	dirs, err := filepath.Glob(filepath.Join(runDir, joinDirs))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, joinFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete the file of an earlier join: %w", err)
		}
		_ = os.Remove(dir)
	}
	return nil
}

// told is an error, and its way out, as they leave the host.
func told(err error) (failed, wayOut string) {
	const goOn = "what was prepared stays: run the command again, it goes on where it was (prep --undo takes back what prep has changed)"
	return report.Cut(err.Error(), report.MaxText), report.Cut(cmp.Or(plan.HintOf(err), goOn), report.MaxText)
}

// complete reports whether a delivery has all that a join takes.
func complete(d wire.Delivery) bool {
	to := d.Spec.Destination
	return to != nil && to.Endpoint != "" && to.CA != "" && d.JoinToken != ""
}

// nodeName is the name that was asked for, or the host's own as kubeadm takes it.
func nodeName(wanted string) (string, error) {
	if wanted != "" {
		return wanted, nil
	}
	name, err := os.Hostname()
	return strings.ToLower(strings.TrimSpace(name)), err
}

// alreadyThere reports whether the host is a node of the cluster. One of another
// cluster is refused.
func alreadyThere(join kubeadm.Join) (bool, error) {
	trace, err := join.Look(kubeadm.Past{})
	if err != nil {
		return false, err
	}
	if trace.Kubeconfig == kubeadm.Others && trace.Certificate {
		return false, plan.Refuse(errors.New("this host is a node of another cluster"),
			"remove it from there first (kubectl lifecycle remove NODE); where that cluster is gone: lifecycle-node clean")
	}
	return trace.Standing() == kubeadm.Arrived, nil
}

// joinDirs is what the directories are called that hold the file of a join.
const joinDirs = "kubectl-lifecycle-join.*"

// run joins. A connection that breaks off must not leave half a join: kubeadm goes on to
// its own end, and the same command finds what has become of it.
func run(ctx context.Context, join kubeadm.Join, runDir string) error {
	return withFile(runDir, func(file string) error {
		join.Host, join.File = host.Local{}, file
		if err := join.Do(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		return join.Stays(ctx)
	})
}

// withFile has something done with a file for kubeadm's configuration. It holds a token,
// is below runDir where only root can read it, and is gone afterwards; what an earlier run
// left that was killed goes before.
func withFile(runDir string, do func(file string) error) error {
	if err := forget(runDir); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(runDir, joinDirs)
	if err != nil {
		return err
	}
	defer func() { _ = forget(runDir) }() // of the run's own files, in memory
	return do(filepath.Join(dir, joinFile))
}
