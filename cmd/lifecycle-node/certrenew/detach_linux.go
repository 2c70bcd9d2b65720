// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	// Verb is the command by which this program starts itself in the unit.
	Verb = "renew"
	unit = certs.RenewalUnit
	// limit bounds a renewal, without the way back: the restarts of four programs.
	limit = 9 * time.Minute
	// mostOfOrder bounds an order.
	mostOfOrder = 64 << 10
	// copyPrefix begins the name of the copy that the unit runs.
	copyPrefix = "certs."
)

// Answer renews what a delivery says, and returns the outcome.
func Answer(ctx context.Context, spec wire.Spec) (json.RawMessage, error) {
	if certlook.Renewing(ctx) {
		return nil, plan.Refuse(errors.New("certificates are being renewed on this host already"),
			"wait until that has ended; see on the host: systemctl status %s", unit)
	}
	copied, err := install()
	if err != nil {
		return nil, fmt.Errorf("copy the program: %w", err)
	}
	defer func() { _ = os.Remove(copied) }() // where the unit has not begun
	// Nothing that ends the connection may end the unit.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+back+time.Minute)
	defer cancel()
	out, err := host.Local{}.Run(ctx, host.Command{Name: "systemd-run", Args: []string{"--quiet", "--collect", "--pipe", "--wait",
		"--unit=" + unit, "--description=kubectl lifecycle renews certificates", "--setenv=PATH=" + os.Getenv("PATH"), copied, Verb},
		Stdin: string(spec.Task), Timeout: limit + back + time.Minute, Most: 4 << 20})
	raw := json.RawMessage(bytes.TrimSpace([]byte(out)))
	if err == nil && !json.Valid(raw) {
		err = errors.New("it answered no outcome")
	}
	if err != nil { // it may have begun, so this is no refusal
		return json.Marshal(certs.Outcome{Lost: true, Error: fmt.Sprintf("the unit %s of the host: %v", unit, err)})
	}
	return raw, nil
}

// install copies this program beside itself, where programs may run (/run often forbids
// that), with the label that systemd needs where SELinux is enforced (containerd#11814).
func install() (copied string, err error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = self.Close() }() // it was read
	f, err := os.CreateTemp(filepath.Dir(name), copyPrefix+"*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, self)
	if _, enforced := os.Stat("/sys/fs/selinux/enforce"); enforced == nil {
		_ = unix.Setxattr(f.Name(), "security.selinux", []byte("system_u:object_r:bin_t:s0\x00"), 0)
	}
	if err := errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// Run is what the unit does: it reads an order, and writes the outcome. lock lets it alone
// change the host.
func Run(ctx context.Context, in io.Reader, out io.Writer, lock func() (unlock func(), err error)) error {
	// It runs on without its file, which is left behind if what brought it is killed.
	if self, err := os.Executable(); err == nil && strings.HasPrefix(filepath.Base(self), copyPrefix) {
		_ = os.Remove(self)
	}
	raw, err := io.ReadAll(io.LimitReader(in, mostOfOrder))
	if err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	var order certs.Renewal
	if err := json.Unmarshal(raw, &order); err != nil {
		return fmt.Errorf("decode the order: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return json.NewEncoder(out).Encode(newRenewal(order, lock).do(ctx))
}
