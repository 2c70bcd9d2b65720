// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Entry is a mount, as one line of mountinfo tells of it (proc(5)).
type Entry struct {
	ID, Parent int
	// Device is major:minor, Root what of its file system is mounted, Path where.
	Device, Root, Path string
	// Tags are the groups of mounts that it is in: "shared:7", "master:3".
	Tags           []string
	FSType, Source string
	// VFSOptions are those of the file system. Of those that are too long, the beginning.
	VFSOptions string
}

// The bounds of what is read. A namespace has 100,000 mounts at most, unless an administrator
// says otherwise (fs.mount-max), and an overlay 500 layers, whose paths may be long. The path
// to a mount may have a hundred thousand names.
const (
	mostOfOptions = 1 << 20
	mostOfLine    = 32 << 20
	mostOfMounts  = 128 << 20
)

// MountsError says at which mount a list could not be read any further.
type MountsError struct {
	// Path is where that is mounted, or the last one before; empty if there was none.
	Path string
	Why  string
}

func (e *MountsError) Error() string {
	if e.Path == "" {
		return e.Why
	}
	return fmt.Sprintf("at the mount on %s: %s", text.Short(e.Path, 300), e.Why)
}

// EachMount calls each with the mounts of a mountinfo, in the kernel's order. However long
// the lines are, no more than one is in memory.
func EachMount(from io.Reader, each func(Entry)) error {
	limited := &io.LimitedReader{R: from, N: mostOfMounts}
	lines, last := bufio.NewReaderSize(limited, 1<<16), ""
	for {
		line, err := head(lines)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case limited.N <= 0:
			return &MountsError{last, fmt.Sprintf("the list of mounts has more than %d MiB up to here", mostOfMounts>>20)}
		case line != "":
			e, ok := entry(line)
			if !ok {
				return &MountsError{e.Path, fmt.Sprintf("its line in mountinfo cannot be read (%d bytes)", len(line))}
			}
			last = e.Path
			each(e)
		}
		if err != nil {
			return nil
		}
	}
}

// head is the beginning of the next line; the rest of one that is too long is passed over.
func head(from *bufio.Reader) (string, error) {
	var line []byte
	for {
		piece, err := from.ReadSlice('\n')
		line = append(line, piece[:min(len(piece), mostOfLine-len(line))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimSuffix(string(line), "\n"), err
		}
	}
}

// entry reads one line:
//
//	36 35 98:0 /root /path rw,noatime shared:7 master:1 - ext3 /dev/root rw,errors=continue
//
// It reports false for one in which something is missing; the path is there as far as it was
// read.
func entry(line string) (e Entry, ok bool) {
	before, after, divided := strings.Cut(line, " - ")
	fields := strings.Split(before, " ")
	if len(fields) < 5 {
		return e, false
	}
	e.Device, e.Root, e.Path = fields[2], unescaped(fields[3]), unescaped(fields[4])
	of := strings.SplitN(after, " ", 3)
	id, err := strconv.Atoi(fields[0])
	parent, err2 := strconv.Atoi(fields[1])
	if !divided || len(fields) < 6 || len(of) < 3 || err != nil || err2 != nil || !strings.Contains(e.Device, ":") {
		return e, false
	}
	e.ID, e.Parent, e.Tags = id, parent, fields[6:]
	e.FSType, e.Source, e.VFSOptions = unescaped(of[0]), unescaped(of[1]), of[2][:min(len(of[2]), mostOfOptions)]
	return e, true
}

// unescaped is a path of which the kernel has written some bytes as their octal numbers.
func unescaped(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}
