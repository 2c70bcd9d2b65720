// SPDX-License-Identifier: Apache-2.0

package sshcarrier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// client writes an ssh that does what script says. In it, "$remote" is the command for
// the host, as a login shell there gets it.
func client(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ssh")
	full := "#!/bin/sh\nfor remote; do :; done\nprintf '%s\\n' \"$@\" >" + path + ".args\n" + script
	if err := os.WriteFile(path, []byte(full), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// program is a node program that is a script.
func program(script string) func(string) (payload.Payload, error) {
	raw := []byte("#!/bin/sh\n" + script)
	sum := sha256.Sum256(raw)
	return func(arch string) (payload.Payload, error) {
		if arch != "amd64" && arch != "arm64" {
			return payload.Payload{}, plan.Refuse(errors.New("no program for "+arch), "supported are amd64 and arm64")
		}
		return payload.Payload{Program: raw, SHA256: hex.EncodeToString(sum[:])}, nil
	}
}

func deliver(t *testing.T, h Host) (wire.Answer, error) {
	t.Helper()
	return h.Deliver(t.Context(), wire.Delivery{JoinToken: "abcdef.0123456789abcdef", Spec: wire.Spec{Operation: wire.Prep,
		Task: json.RawMessage(`{}`)}}, func(string, ...any) {})
}

const here = `exec sh -c "$remote"`

// echo answers with what it was told.
const echo = `IFS= read -r line
case "$line" in *'"operation":"prep"'*abcdef.0123456789abcdef*|*abcdef.0123456789abcdef*'"operation":"prep"'*) ;; *) exit 9;; esac
printf '` + wire.AnswerPrefix + `{"result":{"dir":"%s","verb":"%s"}}\n' "$(pwd)" "$1"
`

func TestTheProgramIsRunAndNothingOfItStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may write below /var/lib")
	}
	ssh := client(t, "echo a login says hello\n"+here)
	answer, err := deliver(t, Host{Destination: "root@h1", Client: ssh, Program: program(echo)})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Dir, Verb string }
	if err := json.Unmarshal(answer.Result, &got); err != nil || got.Verb != "enter" || !strings.Contains(got.Dir, "kubectl-lifecycle-door.") {
		t.Errorf("%s %v", answer.Result, err)
	}
	if _, err := os.Lstat(got.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", got.Dir, err)
	}
	args, err := os.ReadFile(ssh + ".args")
	if err != nil || strings.Contains(string(args), "0123456789abcdef") {
		t.Errorf("a secret in the arguments: %v", err)
	}
	for _, off := range []string{"StrictHostKeyChecking", "UserKnownHostsFile", "BatchMode"} {
		if strings.Contains(string(args), off) {
			t.Errorf("%s is changed", off)
		}
	}
}

func TestEachFailureSaysWhatAPersonCanDo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may write below /var/lib")
	}
	for name, c := range map[string]struct {
		ssh, program string
		text, hint   string
	}{
		"an unknown host key": {`echo "Host key verification failed." >&2; exit 255`, echo, "verification failed", "fingerprint"},
		"a changed host key": {`echo "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @" >&2; echo "Host key verification failed." >&2
exit 255`,
			echo, "verification failed", "installed again"},
		"no key":                {`echo "root@h1: Permission denied (publickey)." >&2; exit 255`, echo, "publickey", "ssh-add"},
		"no sudo":               {`echo "sudo: a password is required" >&2; exit 1`, echo, "a password is required", "NOPASSWD"},
		"sudo wants a terminal": {`echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1`, echo, "must have a tty", "requiretty"},
		"no right to sudo": {`echo "op is not in the sudoers file." >&2; echo "sudo: op is not in the sudoers file" >&2; exit 1`, echo,
			"not in the sudoers", "NOPASSWD"},
		"sudo for some programs": {`echo "sudo: Sorry, user op is not allowed to execute '/bin/sh' as root on h1." >&2; exit 1`, echo,
			"not allowed", "ALL=(root) NOPASSWD: ALL"},
		"no sudo there": {`echo "sh: 1: exec: sudo: not found" >&2; exit 127`, echo, "not found", "install it"},
		"sudo warns, and the disk is full": {`echo "sudo: unable to resolve host h1: Name or service not known" >&2
echo "head: error writing 'standard output': No space left on device" >&2; exit 1`, echo, "No space left", "make room"},
		"sudo warns, and the connection ends": {`echo "sudo: unable to resolve host h1: Name or service not known" >&2; exit 255`, echo,
			"unable to resolve", "does ssh root@h1 work"},
		"no host": {`echo "ssh: Could not resolve hostname h1" >&2; exit 255`, echo, "Could not resolve",
			"does ssh root@h1 work"},
		"nothing may be run there":           {`echo "` + noPlace + ` (tried /run and /var/lib)" >&2; exit 71`, echo, "executable", "remount"},
		"another architecture":               {"printf '" + greeting + "riscv64\\n'; cat >/dev/null", echo, "riscv64", "amd64 and arm64"},
		"it breaks off in the middle":        {"printf '" + greeting + "x86_64\\n'; head -c 10 >/dev/null; exit 255", echo, "h1", ""},
		"the program ends without an answer": {here, "exit 3\n", "without an answer", "run the command again"},
		"the program refuses": {here, `printf '` + wire.AnswerPrefix + `{"error":"no","hint":"do x"}\n'` + "\n", "root@h1: no",
			"root@h1 advises: do x"},
		"an answer that is none": {here, `printf '` + wire.AnswerPrefix + `{"error":\n'` + "\n", "decode", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := deliver(t, Host{Destination: "root@h1", Client: client(t, c.ssh+"\n"), Program: program(c.program)})
			if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(plan.HintOf(err), c.hint) || plan.HintOf(err) == "" {
				t.Errorf("%v\nhint %q", err, plan.HintOf(err))
			}
		})
	}
}

func TestWhatIsNoDestinationIsRefused(t *testing.T) {
	for _, bad := range []string{"", "-oProxyCommand=x", "a b", "h1;reboot", "$(x)", "h1\n", strings.Repeat("a", 300), "'h1'"} {
		if err := (Host{Destination: bad}).Validate(); plan.ClassOf(err) != plan.Misused || plan.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"h1", "root@10.0.0.7", "ssh://root@h1.example:2222", "root@fe80::1%eth0", "rack_7"} {
		if err := (Host{Destination: good}).Validate(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestAConnectionIsEndedWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Host{Destination: "h1", Client: client(t, "exec sleep 600\n"), Program: program(echo)}.Deliver(ctx, wire.Delivery{},
			func(string, ...any) {})
		done <- err
	}()
	select {
	case err := <-done:
		if plan.ClassOf(err) != plan.TimedOut {
			t.Errorf("it is no end of the time: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestAnErrorAfterChangesIsNoRefusal: a script that goes on to the next host must know
// that this one is half-way.
func TestAnErrorAfterChangesIsNoRefusal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may write below /var/lib")
	}
	for changed, class := range map[string]plan.Class{"true": plan.Broken, "false": plan.Refused} {
		answer := `printf '` + wire.AnswerPrefix + `{"error":"no","hint":"do x","changed":` + changed + "}\n'\n"
		_, err := deliver(t, Host{Destination: "root@h1", Client: client(t, here+"\n"), Program: program(answer)})
		if plan.ClassOf(err) != class || !strings.Contains(plan.HintOf(err), "root@h1 advises: do x") {
			t.Errorf("changed %s: class %d, %v, hint %q", changed, plan.ClassOf(err), err, plan.HintOf(err))
		}
	}
}

// TestAHostThatHasAnsweredAndStaysIsLeft: its connection would keep a place among those
// that are worked on, for as long as it likes.
func TestAHostThatHasAnsweredAndStaysIsLeft(t *testing.T) {
	ssh := "printf '" + greeting + "x86_64\\n'; cat >/dev/null; printf '" + wire.AnswerPrefix + "{\"result\":{}}\\n'; exec cat /dev/zero\n"
	done := make(chan error, 1)
	go func() {
		_, err := deliver(t, Host{Destination: "h1", Client: client(t, ssh), Program: program(echo), parting: time.Millisecond})
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it is waited for")
	}
}

// TestAHostCannotFlood: what a host sends is bounded, before its greeting and after.
func TestAHostCannotFlood(t *testing.T) {
	for name, ssh := range map[string]string{
		"lines before the greeting": "yes hello",
		"one line without an end":   "cat /dev/zero",
		"an answer without an end":  "printf '" + greeting + "x86_64\\n'; cat /dev/zero",
		"words":                     "cat /dev/zero >&2 & sleep 0.1; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := deliver(t, Host{Destination: "h1", Client: client(t, ssh+"\n"), Program: program(echo)}); err == nil {
				t.Error("no error")
			}
		})
	}
}

// asks asks for files, and answers with what it got of them.
const asks = `IFS= read -r line
printf '` + wire.SayPrefix + `"reading"\n` + wire.SendPrefix + `"a.deb"\n'
IFS= read -r size
got=$(head -c "$size")
printf '` + wire.AnswerPrefix + `{"result":{"size":%s,"got":"%s"}}\n' "$size" "$got"
`

func TestAHostGetsTheFilesThatItAsksForAndNoOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may write below /var/lib")
	}
	var asked, said []string
	files := func(name string) (io.ReadCloser, int64, error) {
		if asked = append(asked, name); name != "a.deb" {
			return nil, 0, errors.New("no such file")
		}
		return io.NopCloser(strings.NewReader("content")), 7, nil
	}
	run := func(script string) (wire.Answer, error) {
		h := Host{Destination: "root@h1", Client: client(t, here), Program: program(script), Files: files}
		return h.Deliver(t.Context(), wire.Delivery{Spec: wire.Spec{Operation: wire.Prep}}, func(format string, args ...any) {
			said = append(said, fmt.Sprintf(format, args...))
		})
	}
	answer, err := run(asks)
	if err != nil || string(answer.Result) != `{"size":7,"got":"content"}` || !slices.Contains(said, "root@h1: reading") {
		t.Errorf("%s, %v, %v", answer.Result, err, said)
	}
	if _, err := run(strings.ReplaceAll(asks, "a.deb", "/etc/passwd")); err == nil || asked[1] != "/etc/passwd" {
		t.Errorf("a file that is not for it: %v", err)
	}
	if _, err := run("IFS= read -r line\nwhile :; do printf '" + wire.SendPrefix + "\"a.deb\"\\n'; head -c 9 >/dev/null; done\n"); err == nil {
		t.Error("it may ask for ever")
	}
}
