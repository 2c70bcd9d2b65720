// SPDX-License-Identifier: Apache-2.0

package sshcarrier

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The bounds of what a host may say, and of the time until it says anything.
const (
	mostOfAnswer = 16 << 20
	mostOfWords  = 64 << 10
	greetWithin  = 2 * time.Minute // a person may have to type a password or touch a key
	connectSecs  = 15
	partWithin   = 10 * time.Second // of an answer
)

// Host is a machine as ssh knows it.
type Host struct {
	// Destination is what ssh takes: [USER@]HOST, a Host of the person's ssh_config, or
	// ssh://[USER@]HOST[:PORT].
	Destination string
	// Client is the ssh program; empty means "ssh".
	Client string
	// Program returns the node program for an architecture; nil means the one that
	// this plugin carries.
	Program func(arch string) (payload.Payload, error)
	// Files opens a file that the program on the host may ask for; nil if it may ask for
	// none.
	Files func(name string) (content io.ReadCloser, size int64, err error)
	// parting is how long a host may stay that has answered; zero means partWithin.
	parting time.Duration
}

// Validate refuses what ssh would take for something else than a destination.
func (h Host) Validate() error {
	if !regexp.MustCompile(`^[A-Za-z0-9_\[][A-Za-z0-9_.:@%/\[\]-]{0,252}$`).MatchString(h.Destination) {
		return plan.As(plan.Misused, plan.Hint(fmt.Errorf("%q is not a destination of ssh", h.Destination),
			"it is [USER@]HOST, or a Host of your ~/.ssh/config"))
	}
	return nil
}

// receiver says who it is, takes a line with the program's length and hash, the
// program, and the delivery. $1 is the script itself, which sudo starts again.
const receiver = `set -eu
umask 077
if [ "$(id -u)" -ne 0 ]; then exec sudo -n -- sh -c "$1" receiver "$1"; fi
printf '` + greeting + `%s\n' "$(uname -m)"
IFS=' ' read -r size sum
for base in /run /var/lib; do
  find "$base" -maxdepth 1 -type d -user root -name 'kubectl-lifecycle-door.??????' -mmin +1440 \
    -exec rm -f {}/probe {}/lifecycle-node \; -exec rmdir {} \; 2>/dev/null || :
  dir=$(mktemp -d "$base/kubectl-lifecycle-door.XXXXXX" 2>/dev/null) || continue
  printf '#!/bin/sh\n' >"$dir/probe" && chmod 700 "$dir/probe" && "$dir/probe" 2>/dev/null && break
  rm -f "$dir/probe"; rmdir "$dir"; dir=
done
[ -n "${dir:-}" ] || { echo "` + noPlace + ` (tried /run and /var/lib)" >&2; exit 71; }
trap 'rm -f "$dir/probe" "$dir/lifecycle-node"; rmdir "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
head -c "$size" >"$dir/lifecycle-node"
echo "$sum  $dir/lifecycle-node" | sha256sum -c --status || { echo "the program arrived damaged" >&2; exit 74; }
chmod 700 "$dir/lifecycle-node"
"$dir/lifecycle-node" enter
`

const (
	greeting = "kubectl-lifecycle-host:"
	noPlace  = "no directory on this host is writable and executable"
)

// arguments are ssh's. What a person has configured stays; only what would hang for
// ever is bounded.
func (h Host) arguments() []string {
	script := "sh -c " + text.Quote(`exec sh -c "$1" receiver "$1"`) + " receiver " + quoted(receiver)
	return []string{"-T", "-o", fmt.Sprintf("ConnectTimeout=%d", connectSecs), "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4",
		"--", h.Destination, script}
}

// quoted is a text of many lines as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Deliver hands the program and a delivery to the host, and returns the program's
// answer. An error says what ssh has said. The answer is data of the host's.
func (h Host) Deliver(ctx context.Context, delivery wire.Delivery, report plan.Report) (wire.Answer, error) {
	if err := h.Validate(); err != nil {
		return wire.Answer{}, err
	}
	line, err := json.Marshal(delivery)
	if err != nil {
		return wire.Answer{}, fmt.Errorf("encode the delivery: %w", err)
	}
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := h.Client
	if client == "" {
		client = "ssh"
	}
	cmd := exec.CommandContext(ctx, client, h.arguments()...)
	cmd.WaitDelay = time.Second // a ProxyCommand that keeps the pipe open must not keep us
	words := &capped{left: mostOfWords}
	cmd.Stderr = words
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return wire.Answer{}, plan.Refuse(fmt.Errorf("start %s: %w", client, err), "install the OpenSSH client on this machine")
	}
	report("connecting to %s by ssh", h.Destination)
	answer, talkErr := h.talk(ctx, cancel, stream{in, out, report}, append(line, '\n'))
	if talkErr != nil {
		cancel(talkErr) // so that ssh ends
	}
	// A host that has answered and stays is left: nothing else is waited for.
	defer time.AfterFunc(cmp.Or(h.parting, partWithin), func() { cancel(nil) }).Stop()
	waitErr := cmd.Wait()
	switch {
	case talkErr == nil && answer.Error != "":
		err := plan.Hint(fmt.Errorf("%s: %s", h.Destination, text.Block(answer.Error)), "%s", wire.Advice(h.Destination, answer.Hint))
		if answer.Changed {
			return answer, plan.As(plan.Broken, err)
		}
		return answer, plan.As(plan.Refused, err)
	case talkErr == nil:
		return answer, nil
	case asked.Err() != nil: // the time or the person has ended it, and no fault of the host's
		return answer, fmt.Errorf("%s: %w", h.Destination, asked.Err())
	}
	return answer, h.failure(talkErr, waitErr, words.String())
}

// stream is both ends of a connection, and where it is said what is done.
type stream struct {
	in     io.WriteCloser
	out    io.Reader
	report plan.Report
}

// talk speaks with the receiver: its greeting, the program, and the answer.
func (h Host) talk(ctx context.Context, cancel context.CancelCauseFunc, s stream, delivery []byte) (answer wire.Answer, err error) {
	quiet := time.AfterFunc(greetWithin, func() { cancel(fmt.Errorf("%w within %s", errSilent, greetWithin)) })
	lines := bufio.NewReaderSize(io.LimitReader(s.out, mostOfAnswer), 64<<10)
	arch, err := greeted(lines)
	quiet.Stop()
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
			err = cause
		}
		return answer, err
	}
	program := h.Program
	if program == nil {
		program = payload.For
	}
	load, err := program(arch)
	if err != nil {
		return answer, err
	}
	head := fmt.Sprintf("%d %s\n", len(load.Program), load.SHA256)
	if _, err := io.Copy(s.in, io.MultiReader(strings.NewReader(head), bytes.NewReader(load.Program), bytes.NewReader(delivery))); err != nil {
		return answer, fmt.Errorf("send the program: %w", err)
	}
	if h.Files != nil {
		defer func() { _ = s.in.Close() }() // the answer is there, or the error is
		return answered(lines, h.spoken(s))
	}
	if err := s.in.Close(); err != nil {
		return answer, fmt.Errorf("send the program: %w", err)
	}
	return answered(lines, h.spoken(s))
}

var (
	errSilent   = errors.New("the host has not answered")
	errNoAnswer = errors.New("the connection ended without an answer")
)

// greeted reads lines until the receiver speaks (a login may print some before), and
// returns the architecture in Go's spelling.
func greeted(lines *bufio.Reader) (string, error) {
	for range 1000 {
		line, err := lines.ReadString('\n')
		if machine, is := strings.CutPrefix(strings.TrimSpace(line), greeting); is {
			known := map[string]string{"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
			if arch, ok := known[machine]; ok {
				return arch, nil
			}
			return machine, nil // the payload says which there are
		}
		if err != nil {
			return "", errNoAnswer
		}
	}
	return "", errNoAnswer
}

// failure says why a connection failed, and what a person can do about it.
func (h Host) failure(err, ended error, words string) error {
	if plan.HintOf(err) != "" {
		return err // of this machine, not of the host
	}
	said := last(words)
	if said != "" {
		err = fmt.Errorf("%s: %w: %s", h.Destination, err, said)
	} else {
		err = fmt.Errorf("%s: %w", h.Destination, err)
	}
	var none *exec.ExitError
	switch {
	case strings.Contains(words, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return plan.Refuse(err, "the host's key is another than your known_hosts has: was it installed again, or is this another machine? "+
			"Only if you know why: ssh-keygen -R HOST, and connect once by ssh")
	case strings.Contains(words, "Host key verification failed"):
		return plan.Refuse(err, "ssh does not know the host's key: connect once by ssh %s, and compare the fingerprint",
			text.Quote(h.Destination))
	case strings.Contains(words, "Permission denied"):
		return plan.Refuse(err, "does ssh %s let you in? Load your key (ssh-add), or name the user", text.Quote(h.Destination))
	case strings.Contains(said, "sudo") && sudoAdvice(said) != "":
		return plan.Refuse(err, "%s", sudoAdvice(said))
	case strings.Contains(words, "No space left on device"):
		return plan.Refuse(err, "the program needs some 15 MiB in /var/lib or /run for a moment: make room on the host")
	case strings.Contains(words, noPlace):
		return plan.Refuse(err, "the program needs /var/lib or /run for a moment: allow it to be run there (mount -o remount,rw,exec)")
	case errors.As(ended, &none) && none.ExitCode() == 255:
		return plan.Refuse(err, "does ssh %s work?", text.Quote(h.Destination))
	}
	return plan.Hint(err, "run the command again: it goes on where it was")
}

// sudoAdvice is what a person can do where sudo did not let the program become root, by
// sudo's last line; empty where that is about something else, as its warning that it
// cannot resolve the host's name.
func sudoAdvice(said string) string {
	const (
		noPassword = "connect as root, or let this user become root without a password (a line with NOPASSWD in /etc/sudoers.d)"
		everything = "connect as root, or let this user run any program as root (USER ALL=(root) NOPASSWD: ALL in /etc/sudoers.d)"
		broken     = "sudo's configuration is broken: mend it as root (visudo -c)"
	)
	for _, known := range []struct{ words, advice string }{
		{"must have a tty", "let sudo work without a terminal for this user (Defaults:USER !requiretty in /etc/sudoers.d), or connect as root"},
		{"password is required", noPassword}, {"terminal is required", noPassword}, {"askpass", noPassword},
		{"not in the sudoers file", noPassword}, {"not allowed to", everything}, {"may not run sudo", everything},
		{"not found", "there is no sudo on the host: connect as root, or install it"},
		{"syntax error", broken}, {"owned by uid", broken},
	} {
		if strings.Contains(said, known.words) {
			return known.advice
		}
	}
	return ""
}

// last are the last words of ssh or of the host that say something.
func last(words string) string {
	lines := strings.Split(strings.TrimSpace(words), "\n")
	return text.Line(lines[len(lines)-1])
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	left int
}

// Write keeps what there is room for, and never fails.
func (c *capped) Write(p []byte) (int, error) {
	keep := p[:min(len(p), c.left)]
	c.left -= len(keep)
	c.Buffer.Write(keep)
	return len(p), nil
}
