// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// childArgument is what asks this program to be the child that unmounts.
const childArgument = "--host-child=unmount"

// The verbs of the child.
const (
	verbUnmount = "unmount"
	verbForce   = "force"   // MNT_FORCE: requests to a dead server fail
	verbPrivate = "private" // a copy's events stay with the copy
	verbServed  = "served"  // whether a file system answers at all
)

// patience is how long the child keeps answers back, apart from what it is doing.
const patience = 10 * time.Millisecond

// Child does the work of a disposable child process if the arguments ask for
// it, and says with which code to exit; see the package's documentation.
func Child(args []string) (handled bool, code int) {
	if len(args) != 1 || args[0] != childArgument {
		return false, 0
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<16) //nolint:forbidigo // this is a program of its own
	out := bufio.NewWriter(os.Stdout)          //nolint:forbidigo // the same
	told := time.Now()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return true, 0
		}
		verb, quoted, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		path, err := strconv.Unquote(quoted)
		if err != nil {
			return true, 2
		}
		// Many results are told at once, since telling each by itself costs more
		// than the unmounting; but soon, since silence is taken for hanging.
		_, err = fmt.Fprintln(out, int(childDo(verb, path)))
		if err == nil && (in.Buffered() == 0 || time.Since(told) > patience) {
			told, err = time.Now(), out.Flush()
		}
		if err != nil {
			return true, 1
		}
	}
}

// childDo makes one system call, and nothing else that looks at the file system:
// looking at a dead mount hangs as unmounting it does.
func childDo(verb, path string) unix.Errno {
	var err error
	switch verb {
	case verbUnmount:
		err = unix.Unmount(path, unix.UMOUNT_NOFOLLOW)
	case verbForce:
		err = unix.Unmount(path, unix.UMOUNT_NOFOLLOW|unix.MNT_FORCE)
	case verbPrivate:
		err = unix.Mount("", path, "", unix.MS_REC|unix.MS_PRIVATE, "")
	case verbServed:
		var st unix.Statfs_t
		err = unix.Statfs(path, &st)
	default:
		err = unix.ENOSYS
	}
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		return unix.EIO
	}
	return errno
}

// errNoAnswer says that a child hangs in the kernel.
var errNoAnswer = errors.New("no answer from the kernel")

// child is one running child; it is replaced when it hangs.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string
	stopped chan struct{}
}

func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Not exec.CommandContext: its Wait would wait for a process that nothing
	// can end.
	cmd := exec.Command(self, childArgument) //nolint:noctx // see above
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the child that unmounts: %w", err)
	}
	c := &child{cmd: cmd, in: in, answers: make(chan string, 1), stopped: make(chan struct{})}
	go func() {
		defer close(c.answers)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case c.answers <- lines.Text():
			case <-c.stopped:
				return
			}
		}
	}()
	return c, nil
}

// stop ends the child; one that hangs is left to the kernel, which ends it as
// soon as it comes back.
func (c *child) stop() {
	close(c.stopped)
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	go func() { _ = c.cmd.Wait() }()
}

// ask has the child do one thing within a time.
func (c *child) ask(ctx context.Context, verb, path string, limit time.Duration) error {
	if err := c.tell(verb, path); err != nil {
		return err
	}
	return c.answer(ctx, limit)
}

func (c *child) tell(verb, path string) error {
	if _, err := fmt.Fprintf(c.in, "%s %s\n", verb, strconv.Quote(path)); err != nil {
		return fmt.Errorf("ask the child that unmounts: %w", err)
	}
	return nil
}

// answer waits for the answer to the first question that has none yet.
func (c *child) answer(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return fmt.Errorf("%w within %s", errNoAnswer, limit)
	case answer, alive := <-c.answers:
		code, err := strconv.Atoi(answer)
		if !alive || err != nil {
			return errors.New("the child that unmounts ended")
		}
		if code != 0 {
			return unix.Errno(code)
		}
		return nil
	}
}
