// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The bounds of what is read: the line that follows the program in the stream, and
// files that hold a name, a token or a certificate.
const (
	maxDelivery = 4 << 20
	mostOfName  = 1 << 20
)

// enter reads the delivery, checks that this is the machine that is meant, and
// either answers at once or starts the unit. The answer is one line
// on out.
func enter(ctx context.Context, in io.Reader, out io.Writer, all []operation) int {
	answer, err := accept(ctx, in, out, all)
	if err != nil {
		answer.Error, answer.Hint = report.Cut(err.Error(), report.MaxText), report.Cut(wayOn(err, answer.Changed), report.MaxText)
	}
	line, encodeErr := json.Marshal(answer)
	if encodeErr != nil {
		report.Complain("encode the answer: %v", encodeErr)
		return 1
	}
	if _, writeErr := fmt.Fprintf(out, "%s%s\n", wire.AnswerPrefix, line); err != nil || writeErr != nil {
		return 1
	}
	return 0
}

// wayOn is wayOut, which says that nothing was changed, where something may be.
func wayOn(err error, changed bool) string {
	hint := wayOut(err)
	if changed && hint == untouched {
		return "part of it is done: run the command again, it goes on where it was (prep --undo takes back what prep has changed)"
	}
	return hint
}

const untouched = "nothing was changed on the host; look there (journalctl -b -u kubectl-lifecycle), and run the command again"

// wayOut is what a person can do about a refusal; nothing has changed on the
// host by then.
func wayOut(err error) string {
	switch hint := plan.HintOf(err); {
	case hint != "":
		return hint
	case errors.Is(err, host.ErrMounted):
		return "something is mounted below " + stateDir + ": look at what it is, unmount it, and run the command again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return "root cannot write there: look at the file system (mount, lsattr, SELinux) on the host, and run the command again"
	case errors.Is(err, host.ErrRemote):
		return "what says which machine this is may never answer there: keep it on a disk of this host, and run the command again"
	case errors.Is(err, unix.ENOSPC):
		return "make room on the host, and run the command again"
	}
	return untouched
}

func accept(ctx context.Context, in io.Reader, out io.Writer, all []operation) (wire.Answer, error) {
	limit := &io.LimitedReader{R: in, N: maxDelivery}
	stream := bufio.NewReader(limit)
	line, err := stream.ReadBytes('\n')
	limit.N = math.MaxInt64 // what is asked for comes after it
	if err != nil {
		return wire.Answer{}, fmt.Errorf("read the delivery: %w", err)
	}
	var d wire.Delivery
	if err := json.Unmarshal(line, &d); err != nil {
		return wire.Answer{}, fmt.Errorf("decode the delivery: %w", err)
	}
	op, known := find(all, d.Spec.Operation)
	if !op.bare || d.Spec.MachineID != "" {
		if err := sameMachine(d.Spec); err != nil {
			return wire.Answer{}, err
		}
	}
	switch {
	case !known:
		return wire.Answer{}, fmt.Errorf("unknown operation %q", d.Spec.Operation)
	case op.answer != nil || op.converse != nil:
		result, err := op.answered(ctx, d, report.Talk{In: stream, Out: out})
		answer, err := handed(ctx, d, wire.Answer{Result: result}, err)
		answer.Changed = op.bare && err != nil && plan.ClassOf(err) != plan.Refused
		return answer, err
	}
	if _, err := orderOf(d.Spec); err != nil {
		return wire.Answer{}, err
	}
	return wire.Answer{Started: true}, settle(ctx, d)
}

// handed writes an answer into the Secret that waits for it. Where none does, it
// goes back in the stream.
func handed(ctx context.Context, d wire.Delivery, answer wire.Answer, err error) (wire.Answer, error) {
	if err != nil {
		return wire.Answer{}, err
	}
	if d.Spec.Record.Name == "" {
		return answer, nil
	}
	packed, err := wire.Pack(answer.Result)
	if err != nil {
		return wire.Answer{}, err
	}
	a, err := report.NewAPI(d.Spec, d.Token)
	if err == nil {
		err = a.Put(ctx, wire.KeyAnswer, packed)
	}
	if err != nil {
		return wire.Answer{}, plan.Hint(fmt.Errorf("write the answer: %w", err),
			"can the host reach an API server at %v? A Secret holds 1 MiB, and the answer has %d KiB", d.Spec.Endpoints, len(packed)>>10)
	}
	return wire.Answer{}, nil
}

// sameMachine compares the Node object's identity with this host's: the
// machine-id alone is not enough (cloned VMs share it) and the boot-id alone
// is not either (containers share it with their host), so both must agree, and
// so must the name in the kubelet's own certificate where there is one.
func sameMachine(spec wire.Spec) error {
	wrong := func(what, want, got string) error {
		return plan.Refuse(fmt.Errorf("this is another machine than node %s: its %s is %q, the Node object says %q", spec.Node, what, got, want),
			"was the host rebooted or re-imaged a moment ago? Wait until its kubelet has reported, then run the command again")
	}
	machine, err := trimmed("/etc/machine-id")
	if err != nil {
		return err
	}
	if machine != spec.MachineID {
		return wrong("machine-id", spec.MachineID, machine)
	}
	boot, err := trimmed("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	if boot != spec.BootID {
		return wrong("boot-id", spec.BootID, boot)
	}
	name, err := kubeletName("/var/lib/kubelet/pki/kubelet-client-current.pem")
	if err != nil {
		return err
	}
	if name != "" && name != spec.Node {
		return wrong("kubelet's name", spec.Node, name)
	}
	return nil
}

// here is this machine with the mounts that this program sees: what it reads before it
// begins may lie behind links, on a server that does not answer.
func here() host.Local { return host.Local{Proc: "/proc/self"} }

func trimmed(path string) (string, error) {
	raw, err := here().ReadLinked(path, mostOfName)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(raw)), nil
}

// kubeletName reads the node name from the kubelet's client certificate
// (subject system:node:NAME); empty where there is no such file, or none that names a node: a
// power cut in a rotation leaves an empty one (kubernetes/kubernetes#34956).
func kubeletName(path string) (string, error) {
	raw, err := here().ReadLinked(path, mostOfName)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return nameIn(raw), nil
}

// nameIn reads the node's name out of PEM; empty where no certificate in it can be read.
func nameIn(raw []byte) string {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return ""
		}
		return strings.TrimPrefix(cert.Subject.CommonName, "system:node:")
	}
	return ""
}
