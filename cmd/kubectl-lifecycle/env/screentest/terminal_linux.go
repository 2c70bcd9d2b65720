// SPDX-License-Identifier: Apache-2.0

package screentest

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// onTerminal is what is written to a real terminal of some width, and the exit code.
func onTerminal(t *testing.T, width int, show func(*testing.T, *env.Env) error) (shown string, can bool) {
	t.Helper()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "yes") // codes of colours would hide the words
	master, terminal := openTerminal(t, width)
	written := make(chan string, 1)
	go func() {
		raw, _ := io.ReadAll(master) // it ends with EIO, once the terminal is closed
		written <- string(raw)
	}()
	code := run(t, genericiooptions.IOStreams{In: strings.NewReader(""), Out: terminal, ErrOut: terminal}, show)
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	shown = <-written
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if shown != "" && !strings.HasSuffix(shown, "\n") {
		shown += "\n"
	}
	return shown + code, true
}

// openTerminal opens a pair of a terminal and of what shows it.
func openTerminal(t *testing.T, width int) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: uint16(width)}); err != nil {
		t.Fatal(err)
	}
	if _, err := term.MakeRaw(int(terminal.Fd())); err != nil { // a line break stays one byte
		t.Fatal(err)
	}
	return master, terminal
}
