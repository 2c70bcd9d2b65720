// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Where a run lives on the host. The directory survives a reboot, as the unit
// does; both are gone when the run is over.
const (
	stateDir = "/var/lib/kubectl-lifecycle"
	unitName = "kubectl-lifecycle.service"
	// programName is the program's in stateDir, lastWord a file's with the phase
	// that a run has come to its end in.
	programName = "lifecycle-node"
	lastWord    = "last-word"
	lockName    = "lock"
	journalName = "journal"
	specFile    = "spec.json"
	signsFile   = "machine.json"
	// begunFile says that the host may be changed by now, verdictFile what it was
	// like between the two clusters of a move, joinedFile that kubeadm has joined it
	// to the second, outcomeFile that the work is done and how.
	begunFile   = "begun"
	verdictFile = "verdict.json"
	joinedFile  = "has-joined"
	outcomeFile = "outcome.json"
	unitFile    = "/etc/systemd/system/" + unitName
	unitLink    = "/etc/systemd/system/multi-user.target.wants/" + unitName
)

const unitText = `[Unit]
Description=kubectl lifecycle: maintenance of this Kubernetes node
# After a boot, the container runtime is asked first of all.
After=network-online.target containerd.service crio.service cri-docker.service
# However often the program is started again: a host whose kubelet is held must
# not be left alone by a limit.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=` + stateDir + `/` + programName + ` work
Restart=on-failure
RestartSec=1
KillMode=process

[Install]
WantedBy=multi-user.target
`

// in names a file of the run.
func in(name string) string { return filepath.Join(stateDir, name) }

// settle puts the program, its spec and its token on the host and starts the
// unit. A run of another record that is under way is not disturbed; one of the
// same record is taken up.
func settle(ctx context.Context, d wire.Delivery) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return plan.Refuse(errors.New("this host does not run systemd"),
			"remove the node by hand: the inventory of 'kubectl lifecycle inspect' names what is there")
	}
	unlock, err := lockSoon(ctx)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return occupied(d.Spec)
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := executable(filepath.Dir(stateDir)); err != nil {
		return err
	}
	if old, err := peekSpec(); err != nil || old.Record.UID != d.Spec.Record.UID {
		// Its unit is not running (we hold the lock): a leftover, of which
		// nothing may be taken for this run's. What it made for a while is this run's to take away,
		// and what it deleted and has not judged is this run's to bring back.
		if err := forget(append(part.Outlive(), lockName)...); err != nil {
			return err
		}
	}
	if err := install(d); err != nil {
		return err
	}
	unlock()
	for _, args := range [][]string{{"daemon-reload"}, {"enable", "--quiet", unitName}, {"restart", unitName}} {
		if err := systemctl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// executable refuses a place from which no program can be started: a guide to
// hardening asks for noexec on /var (k3s-io/k3s#7296), and the unit runs from there,
// since it has to survive a reboot.
func executable(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	if fs.Flags&unix.ST_NOEXEC == 0 {
		return nil
	}
	return plan.Refuse(fmt.Errorf("%s is mounted noexec: a program of this run could not be started there after a reboot", dir),
		"until the run is over, on the host: mount -o remount,exec the file system of %s; then run the command again", dir)
}

// occupied is the answer to a delivery while the unit of a run works: fine if
// it is the same run, and was told the same.
func occupied(spec wire.Spec) error {
	old, err := peekSpec()
	if err == nil && old.Record.UID == spec.Record.UID {
		return sameChoices(old, spec)
	}
	return plan.Refuse(fmt.Errorf("another run works on this host: %s of node %s", old.Operation, old.Node),
		"wait until it has ended; on the host: systemctl status %s", unitName)
}

// sameChoices refuses a delivery that tells another thing than the one by which the unit
// works: a person was shown a plan of this one.
func sameChoices(works, told wire.Spec) error {
	was, err := orderOf(works)
	is, err2 := orderOf(told)
	to := func(d *wire.Destination) string {
		if d == nil {
			return ""
		}
		return d.Endpoint
	}
	if err == nil && err2 == nil && was.Choices == is.Choices && to(works.Destination) == to(told.Destination) {
		return nil
	}
	return plan.Refuse(errors.New("the run on this host was begun with other choices, and its program has just started"),
		"abort it first: kubectl lifecycle runs abort %s", text.Quote(told.Node))
}

// ownDirectory makes a directory of mode 0700, or takes one that is really
// ours: no link, owned by root, closed to others.
func ownDirectory(dir string) error {
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		return host.SyncDir(filepath.Dir(dir))
	case !errors.Is(err, os.ErrExist):
		return err
	case !owned(dir):
		return plan.Refuse(fmt.Errorf("%s exists and is not a directory of root's own with mode 0700", dir), "look at it, and move it away")
	}
	return nil
}

// install writes the files of a run, each in one rename. The program may have no
// name any more: the run that it waited for has tidied up the directories through
// which programs come.
func install(d wire.Delivery) error {
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("open the program: %w", err)
	}
	defer func() { _ = program.Close() }()
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		return fmt.Errorf("encode the spec: %w", err)
	}
	signs, err := json.Marshal(host.Local{}.Signs())
	if err != nil {
		return fmt.Errorf("encode what this machine is told by: %w", err)
	}
	return errors.Join(
		place(in(programName), 0o700, program),
		place(in(signsFile), 0o600, bytes.NewReader(signs)),
		place(in(specFile), 0o600, bytes.NewReader(spec)),
		place(in("token"), 0o600, strings.NewReader(d.Token)),
		place(in("join-token"), 0o600, strings.NewReader(d.JoinToken)),
		place(unitFile, 0o644, strings.NewReader(unitText)),
	)
}

// label lets systemd execute the file where SELinux is enforced (init_t may
// not run var_lib_t: containerd#11814). Without SELinux there is nothing to do.
func label(path string) {
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
		_ = unix.Setxattr(path, "security.selinux", []byte("system_u:object_r:bin_t:s0\x00"), 0)
	}
}

func systemctl(ctx context.Context, args ...string) error {
	_, err := host.Local{}.Run(ctx, host.Command{Name: "systemctl", Args: args})
	return err
}

// askToReload has systemd read its units again, for a program that ends right
// afterwards, and does not wait for it: one that is killed while it waits, when its
// unit is no more, stays in systemd's memory as one that has failed.
func askToReload() error {
	return exec.Command("systemctl", "daemon-reload").Start() //nolint:noctx // it outlives this program
}

// leave takes the run off the host. Whenever it is killed, the unit starts it
// again as long as there is more of it than a name in systemd's memory: first goes
// what only the work needed, then the unit, then the program; and then systemd is
// to be told. The files are ours by name and the directory is removed only when they
// were all it held.
func leave() error {
	errs := []error{forget(programName, lastWord, lockName), sweepDoors()}
	errs = append(errs, removeIf(motd), removeUnit(), forget(lockName))
	errs = append(errs, removeIf(in(lockName)), removeIf(stateDir)) // the lock last: who gets it finds nothing of ours
	return errors.Join(errs...)
}

// removeUnit has nothing start the program again.
func removeUnit() error { return errors.Join(removeIf(unitLink), removeIf(unitFile)) }

// removeIf removes a file, if it is there.
func removeIf(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// sweepDoors removes directories through which a program came whose pod was
// deleted on the way. They are ours by their name, root's, closed to others, and no
// process works in them.
func sweepDoors() error {
	var errs []error
	inUse := map[string]bool{}
	processes, err := filepath.Glob("/proc/[0-9]*/cwd")
	errs = append(errs, err)
	for _, process := range processes {
		if dir, err := os.Readlink(process); err == nil { // or it has ended
			inUse[dir] = true
		}
	}
	for _, pattern := range []string{"/var/lib/kubectl-lifecycle-door.??????", "/run/kubectl-lifecycle-door.??????"} {
		doors, err := filepath.Glob(pattern)
		errs = append(errs, err)
		for _, door := range doors {
			if real, err := filepath.EvalSymlinks(door); err == nil && owned(door) && !inUse[real] {
				errs = append(errs, host.Local{}.Remove(door))
			}
		}
	}
	return errors.Join(errs...)
}

// owned reports whether a path is a directory of root's with mode 0700.
func owned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0
}

// forget removes what is in the run's directory, but for some names, and never
// through a mount that was put there since.
func forget(keep ...string) error {
	entries, err := os.ReadDir(stateDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var errs []error
	for _, entry := range entries {
		if !slices.Contains(keep, entry.Name()) {
			errs = append(errs, host.Local{}.Remove(in(entry.Name())))
		}
	}
	return errors.Join(errs...)
}
