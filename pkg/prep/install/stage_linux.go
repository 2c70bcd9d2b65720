// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

const (
	// base is where a stage is: packages and what is made of them may have hundreds of MiB.
	base = "/var/cache"
	// stages is what the directories are called.
	stages = "kubectl-lifecycle-packages."
	// old is when a directory counts as left behind: one that is being made is not locked yet.
	old = 24 * time.Hour
)

// Sender sends a file that the one who asks has.
type Sender func(name string, to io.Writer) error

// Stage brings packages to this host. Others than root may read it, since apt's own user
// downloads into it; files that were sent are root's alone.
type Stage struct {
	Local host.Local
	// Dir is the directory on the host.
	Dir string
	// Send asks for files; nil if there are none.
	Send Sender
	// Say tells what is waited for.
	Say plan.Report
	// lock is the stage's mark, locked as long as it is in use.
	lock *os.File
}

// Open makes the directory, and deletes what killed runs have left of theirs.
func Open(local host.Local, send Sender, say plan.Report) (Stage, error) {
	s := Stage{Local: local, Send: send, Say: say}
	at := local.Path(base)
	sweep(local)
	if err := os.MkdirAll(at, 0o755); err != nil {
		return s, err
	}
	dir, err := os.MkdirTemp(at, stages+"*")
	if err != nil {
		return s, fmt.Errorf("make a directory for packages: %w", err)
	}
	s.Dir = filepath.Join(base, filepath.Base(dir))
	s.lock, err = os.OpenFile(filepath.Join(dir, mark), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	for _, inner := range []string{"lists/partial", "cache/archives/partial", "parts", "files"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(dir, inner), 0o755))
	}
	if err = errors.Join(err, os.Chmod(dir, 0o755)); err != nil { //nolint:gosec // see Stage
		return s, errors.Join(fmt.Errorf("make a directory for packages: %w", err), s.Close())
	}
	return s, nil
}

// mark is the file in a stage that says that it is one. It is locked while the stage is in use.
const mark = ".kubectl-lifecycle-stage"

// sweep deletes what killed runs have left: directories that only root can write, with a mark
// of root's that no program holds. A name alone says nothing of whose a directory is. What
// cannot be deleted does no harm.
func sweep(local host.Local) {
	left, _ := filepath.Glob(filepath.Join(local.Path(base), stages+"*"))
	for _, dir := range left {
		if abandoned(dir) {
			_ = local.Remove(filepath.Join(base, filepath.Base(dir)))
		}
	}
}

// abandoned reports whether a directory is a stage that no program uses.
func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !rootsOwn(info) || time.Since(info.ModTime()) < old {
		return false
	}
	f, err := os.OpenFile(filepath.Join(dir, mark), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // with its lock
	info, err = f.Stat()
	return err == nil && info.Mode().IsRegular() && rootsOwn(info) && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// rootsOwn reports whether a file is of the user that this program runs as, who is root.
func rootsOwn(info os.FileInfo) bool {
	stat, is := info.Sys().(*syscall.Stat_t)
	return is && int(stat.Uid) == os.Geteuid()
}

// Close deletes the directory, and nothing that is mounted in it.
func (s Stage) Close() error {
	if s.Dir == "" {
		return nil
	}
	err := s.Local.Remove(s.Dir)
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// receive has files of an order sent, and compares them with their checksums.
func (s Stage) receive(files []packages.File) error {
	for _, f := range files {
		s.Say("receiving %s (%d MiB)", f.Name, (f.Size+1<<20-1)>>20)
		if err := s.receiveOne(f); err != nil {
			return fmt.Errorf("receive %s: %w", f.Name, err)
		}
	}
	return nil
}

func (s Stage) receiveOne(f packages.File) error {
	if s.Send == nil {
		return errors.New("no one is there to send it")
	}
	out, err := os.OpenFile(s.Local.Path(packages.Staged{Dir: s.Dir}.File(f.Name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	err = s.Send(f.Name, io.MultiWriter(out, sum))
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("it arrived damaged: its checksum is %s, not %s", got, f.SHA256)
	}
	return nil
}

const (
	// waits is how long another program may use the package manager, pause how often it is
	// looked.
	waits = 5 * time.Minute
	pause = 2 * time.Second
)

// run runs a command that changes nothing, or what was rehearsed; it returns all that the
// command said. While another program uses the package manager it is waited, and said why.
func (s Stage) run(ctx context.Context, doing string, c packages.Command) (string, error) {
	until := time.Now().Add(waits)
	for {
		said, err := s.Local.Run(ctx, host.Command{Name: c.Args[0], Args: c.Args[1:], Timeout: c.Limit, Most: mostSaid})
		if err == nil {
			return said, nil
		}
		why := packages.Explain(doing, said, ending(err))
		if !errors.Is(why, packages.ErrLocked) || time.Now().After(until) {
			return said, why
		}
		s.Say("waiting, %s at most: %v", time.Until(until).Round(time.Second), why)
		select {
		case <-ctx.Done():
			return said, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// mostSaid bounds what a command may say.
const mostSaid = 8 << 20

// ending is why a command ended, without the command: its words are read by themselves.
func ending(err error) error {
	var bad *host.CommandError
	if errors.As(err, &bad) && bad.Err != nil {
		return bad.Err
	}
	return err
}

// tool is the host's package manager.
func (s Stage) tool(ctx context.Context) (packages.Tool, error) {
	for _, known := range []packages.Tool{packages.Apt, packages.Dnf, packages.Zypper} {
		program := map[packages.Tool]string{packages.Apt: "apt-get"}[known]
		if program == "" {
			program = string(known)
		}
		if s.Local.Has(ctx, program) {
			return known, nil
		}
	}
	return "", plan.Refuse(errors.New("the host has no package manager that is known (apt-get, dnf, zypper)"),
		"install containerd, kubeadm and kubelet there by its own means, and leave out --install")
}

// lines are words in one line for a person.
func lines(words []string) string { return strings.Join(words, ", ") }
