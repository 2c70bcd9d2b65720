// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// server is another machine's file system that answers (fuse(4), version 7.31). It has a
// directory that is called as a pod's, and in that and beside it a file. It may only be read.
type server struct {
	dev int // its descriptor: Go cannot poll it before it is mounted
	// asked counts what would change something, by the number of the request.
	asked [64]atomic.Int32
}

// What a server has, by the number of its inode: its name, and of a directory what is in it.
const (
	rootInode = 1 + iota
	fileInode
	podInode
	podFileInode
)

// changing are the requests that change something: attributes, names, content.
func changing() []uint32 { return []uint32{4, 6, 8, 9, 10, 11, 12, 13, 16, 21, 24, 35, 43, 45} }

// live mounts a server at a path.
func (w *world) live(dir string) *server {
	w.Helper()
	w.script("mkdir -p '." + dir + "'")
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	hosttest.Must(w.T, err)
	s := &server{dev: dev}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev)
	hosttest.Must(w.T, unix.Mount("server:/export", w.dir+dir, "fuse.live", 0, options))
	go s.serve()
	return s
}

// changed is how often it was asked to change something.
func (s *server) changed() (n int32) {
	for _, op := range changing() {
		n += s.asked[op].Load()
	}
	return n
}

// serve answers until it is not mounted any more.
func (s *server) serve() {
	for buf := make([]byte, 1<<20); ; {
		n, err := unix.Read(s.dev, buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EAGAIN) {
			continue // who asked does not wait any more
		}
		if err != nil || n < 40 {
			return
		}
		op, inode := binary.NativeEndian.Uint32(buf[4:]), binary.NativeEndian.Uint64(buf[16:])
		if int(op) < len(s.asked) {
			s.asked[op].Add(1)
		}
		if op == 2 || op == 36 || op == 42 { // what is forgotten or interrupted has no answer
			continue
		}
		body, errno := answered(op, inode, buf[40:n])
		out := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		out = binary.NativeEndian.AppendUint32(out, uint32(-int32(errno)))
		out = append(out, buf[8:16]...)
		_, _ = unix.Write(s.dev, append(out, body...)) // or who asked has gone
	}
}

// answered is what one request gets.
func answered(op uint32, inode uint64, in []byte) ([]byte, unix.Errno) {
	numbers := func(all ...uint64) (out []byte) {
		for _, n := range all {
			out = binary.NativeEndian.AppendUint64(out, n)
		}
		return out
	}
	switch op {
	case 1: // look up
		name := strings.TrimRight(string(in), "\x00")
		for _, of := range inside(inode) {
			if of.name == name {
				return append(numbers(of.inode, 0, 1, 1, 0), attributes(of.inode)...), 0
			}
		}
		return nil, unix.ENOENT
	case 3: // attributes
		return append(numbers(1, 0), attributes(inode)...), 0
	case 14, 27: // open
		return numbers(0, 0), 0
	case 15: // read
		from := min(binary.NativeEndian.Uint64(in[8:]), uint64(len(precious)))
		return []byte(precious[from:]), 0
	case 17: // the file system
		return make([]byte, 80), 0
	case 26: // the beginning
		out := make([]byte, 64)
		binary.NativeEndian.PutUint32(out, 7)
		binary.NativeEndian.PutUint32(out[4:], 31)
		binary.NativeEndian.PutUint32(out[20:], 4096)
		return out, 0
	case 28: // what is in a directory
		var out []byte
		for i, of := range inside(inode) {
			if uint64(i) >= binary.NativeEndian.Uint64(in[8:]) {
				out = append(out, numbers(of.inode, uint64(i)+1, uint64(len(of.name)))...)
				out = append(out, of.name...)
				out = append(out, make([]byte, (8-len(out)%8)%8)...)
			}
		}
		return out, 0
	case 18, 25, 29, 30, 34: // closed, asked whether it may
		return nil, 0
	case 22, 23:
		return nil, unix.ENOSYS
	}
	return nil, unix.EPERM
}

// precious is what the files of a server say.
const precious = "precious\n"

type named struct {
	name  string
	inode uint64
}

func inside(inode uint64) []named {
	switch inode {
	case rootInode:
		return []named{{"file", fileInode}, {uid, podInode}}
	case podInode:
		return []named{{"file", podFileInode}}
	}
	return nil
}

// attributes are an inode's, as the kernel wants them.
func attributes(inode uint64) []byte {
	out := make([]byte, 88)
	mode, links := uint32(unix.S_IFREG|0o644), uint32(1)
	if inside(inode) != nil {
		mode, links = unix.S_IFDIR|0o755, 2
	}
	binary.NativeEndian.PutUint64(out, inode)
	binary.NativeEndian.PutUint64(out[8:], uint64(len(precious)))
	binary.NativeEndian.PutUint32(out[60:], mode)
	binary.NativeEndian.PutUint32(out[64:], links)
	return out
}
