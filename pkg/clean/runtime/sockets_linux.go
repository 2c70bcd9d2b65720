// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// wellKnownSockets are those that kubeadm knows (cmd/kubeadm/app/constants).
func wellKnownSockets() []string {
	return []string{"/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock"}
}

// sockets are where container runtimes listen that may have pods of this host's.
type sockets struct {
	// own is that of the kubelet's; empty if there is none.
	own string
	// more are others that exist: the one that the cluster names, and the well-known ones if
	// it is not known what the kubelet was given.
	more []string
	// unasked is one that the cluster names and that is not even looked at, and why.
	unasked, why string
}

// all are those that are asked, the kubelet's first.
func (s sockets) all() []string {
	if s.own == "" {
		return s.more
	}
	return append([]string{s.own}, s.more...)
}

// Socket is where the kubelet's container runtime listens: what the kubelet runs with, what
// its files say, what the cluster says, the first well-known one that exists; empty if there
// is none.
func (t Runtime) Socket() (string, error) {
	s, err := t.sockets()
	return s.own, err
}

// sockets finds them. What the cluster says is an annotation of the Node's
// (kubeadm.alpha.kubernetes.io/cri-socket): it is written once, at the join, it stays as it
// is when the kubelet is given another runtime, and the kubelet may write it itself. So it
// replaces nothing that the kubelet runs with, and is asked besides.
func (t Runtime) sockets() (sockets, error) {
	var s sockets
	given, err := t.givenSocket()
	if err != nil {
		return s, fmt.Errorf("find the container runtime's socket: %w", err)
	}
	told := plainSocket(t.Facts.CRISocket)
	if given != "" {
		s.own = given
		is, why := t.listens(told)
		switch {
		case told == "" || told == given:
		case why != "":
			s.unasked, s.why = told, why
		case is && !t.same(told, given):
			s.more = []string{told}
		}
		return s, nil
	}
	s.own = told
	for _, socket := range wellKnownSockets() {
		is, err := t.Exists(socket)
		switch {
		case err != nil:
			return s, fmt.Errorf("find the container runtime's socket: %w", err)
		case !is || socket == told:
		case s.own == "":
			s.own = socket
		case !t.same(socket, s.own):
			s.more = append(s.more, socket)
		}
	}
	return s, nil
}

// givenSocket is the one that the kubelet was given: what it runs with, else what files say
// that it will be run with; empty if they name none.
func (t Runtime) givenSocket() (string, error) {
	places := t.Places()
	if places.Endpoint != "" {
		return plainSocket(places.Endpoint), nil
	}
	said := regexp.MustCompile(`(?:containerRuntimeEndpoint: *"?|--container-runtime-endpoint=)(?:unix://)?(/[^"\s]+)`)
	for _, path := range []string{places.Config, t.KubeadmDir() + "/instance-config.yaml", t.KubeadmDir() + "/kubeadm-flags.env"} {
		raw, err := t.Readable(path)
		if err != nil && !errors.Is(err, host.ErrTooLarge) { // kubeadm's are small
			return "", err
		}
		if found := said.FindSubmatch(raw); found != nil {
			return plainSocket(string(found[1])), nil
		}
	}
	return "", nil
}

// plainSocket is a socket as a path, without a link that every host has.
func plainSocket(socket string) string {
	if socket = strings.TrimPrefix(socket, "unix://"); socket == "" {
		return ""
	}
	if socket = filepath.Clean(socket); strings.HasPrefix(socket, "/var/run/") {
		return strings.TrimPrefix(socket, "/var")
	}
	return socket
}

// listens reports whether there is a socket at a path that the cluster names: so no link is
// followed, and no file system of another machine's is asked, which may never answer. Why it
// is not known then is the second result.
func (t Runtime) listens(socket string) (is bool, why string) {
	if !filepath.IsAbs(socket) {
		return false, "it is no path of a socket"
	}
	if !t.AtHome(socket) {
		return false, "another machine's file system is mounted there"
	}
	stat, err := statPlain(t.Path("/"), socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return false, ""
	case errors.Is(err, unix.ELOOP):
		return false, "a link leads there"
	case err != nil:
		return false, err.Error()
	}
	return stat.Mode&unix.S_IFMT == unix.S_IFSOCK, ""
}

// same reports whether two paths, of which the first is there, lead to the same socket.
func (t Runtime) same(one, other string) bool {
	a, err := t.Stat(one)
	b, err2 := t.Stat(other)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

// statPlain looks at what is at a path below a root, through no link.
func statPlain(root, path string) (unix.Stat_t, error) {
	var stat unix.Stat_t
	top, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return stat, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer func() { _ = unix.Close(top) }() // nothing was written
	fd, err := unix.Openat2(top, strings.TrimPrefix(path, "/"), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return stat, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	return stat, unix.Fstat(fd, &stat)
}
