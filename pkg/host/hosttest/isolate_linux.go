// SPDX-License-Identifier: Apache-2.0

// Package hosttest runs tests that change a host in a host of their own: mount,
// network and process namespaces that vanish with the test.
package hosttest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// inside marks the process that runs in the namespaces.
const inside = "HOSTTEST_INSIDE"

// Main is what TestMain calls: it lets the test binary be the child that
// package host starts, and runs the tests otherwise.
func Main(m *testing.M) {
	if handled, code := host.Child(os.Args[1:]); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// Isolate runs a test's body in new mount, network and process namespaces, as a
// process of its own, with nothing in the network but a loopback device that is
// down, and with a tmpfs at dir to work in. Mounts neither come in nor go out, and
// no process of this machine, nor of another test, is seen. So tests run side by
// side: a world mostly waits, for the kernel to make it and to take it down. It
// needs root; E2E=off skips it and says so.
func Isolate(t *testing.T, body func(t *testing.T, dir string)) {
	t.Helper()
	if os.Getenv(inside) == t.Name() {
		body(t, prepare(t))
		return
	}
	if os.Getenv("E2E") == "off" {
		t.Skip("not tested: it needs root, and E2E=off was given")
	}
	if os.Getuid() != 0 {
		t.Fatal("needs root for namespaces of its own; run it as root, or set E2E=off to leave it out")
	}
	t.Parallel()
	self, err := os.Executable()
	Must(t, err)
	// A shell is the first process of the namespace: it reaps the orphans, as init does.
	args := []string{"-c", `"$0" "$@"; exit $?`, self, "-test.run=" + exactly(t.Name()), "-test.v", "-test.count=1"}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", args...)
	// The lock of iptables-legacy is the machine's: two tests would refuse each other.
	cmd.Env = append(os.Environ(), inside+"="+t.Name(), "XTABLES_LOCKFILE="+filepath.Join(t.TempDir(), "xtables.lock"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	switch {
	case err != nil:
		t.Errorf("%v\n%s", err, out.String())
	case !strings.Contains(out.String(), "--- PASS: "+t.Name()):
		t.Errorf("it did not run:\n%s", out.String())
	case testing.Verbose():
		t.Log(out.String())
	}
}

// prepare makes the namespace's mounts private and gives it a place to work
// in, which is shared as the root of most hosts is.
func prepare(t *testing.T) string {
	t.Helper()
	Must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	Must(t, unix.Mount("proc", "/proc", "proc", 0, "")) // of the new namespace
	dir := "/mnt"
	Must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	Must(t, unix.Mount("", dir, "", unix.MS_SHARED, ""))
	return dir
}

// Must ends the test on an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Run runs a command and returns its output; it ends the test if it fails.
func Run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput() // in Cleanup, too
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Script runs lines of shell that stop at the first error.
func Script(t *testing.T, script string) string {
	t.Helper()
	return Run(t, "sh", "-euc", script)
}

// exactly is the pattern that runs one test and no other: go test compares it part by
// part, and a part without an end would run the tests that begin with it, too.
func exactly(name string) string {
	var parts []string
	for _, part := range strings.Split(name, "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	return strings.Join(parts, "/")
}
