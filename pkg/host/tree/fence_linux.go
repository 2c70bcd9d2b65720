// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenBeneath opens a directory in a directory, if it is in the same mount;
// else it returns EXDEV. Kernels before 5.6, and seccomp profiles older than
// that, have no openat2: there the mount ids of both are compared.
func OpenBeneath(dir int, name string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: Fence}
	fd, err := unix.Openat2(dir, name, &how)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	return openBeneathOld(dir, name)
}

// openBeneathOld compares before it opens for reading: opening an O_PATH
// descriptor touches nothing.
func openBeneathOld(dir int, name string) (int, error) {
	at, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(at) }()
	outer, err := MountID(dir)
	if err != nil {
		return -1, err
	}
	inner, err := MountID(at)
	if err != nil {
		return -1, err
	}
	if outer != inner {
		return -1, unix.EXDEV
	}
	fd, err := unix.Openat(at, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if again, err := MountID(fd); err != nil || again != outer {
		_ = unix.Close(fd)
		return -1, unix.EXDEV
	}
	return fd, nil
}

// MountID is the id of the mount that a descriptor is in.
func MountID(fd int) (int, error) {
	raw, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for lines.Scan() {
		if id, found := strings.CutPrefix(lines.Text(), "mnt_id:"); found {
			return strconv.Atoi(strings.TrimSpace(id))
		}
	}
	return 0, errors.New("this kernel does not tell which mount a file is in")
}
