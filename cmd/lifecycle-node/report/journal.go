// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The journal has all events of a run, up to a size above which no run comes that
// does not repeat itself; its end is what a new process goes on from.
const (
	mostOfJournal = 32 << 20
	mostOfTail    = 1 << 20
)

// openJournal opens it for writing at its end. A line that was not written to its
// end would spoil the next one: it is closed.
func openJournal(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, host.ErrNotRegular)
	}
	last := []byte{'\n'}
	if err == nil && info.Size() > 0 {
		_, err = f.ReadAt(last, info.Size()-1)
	}
	if err == nil && last[0] != '\n' {
		_, err = f.WriteString("\n")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// write appends an event to the journal, durably, and whole or not at all.
func (r *Reporter) write(e wire.Numbered) error {
	if r.journal == nil {
		return nil // that was said
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	info, err := r.journal.Stat()
	if err != nil || info.Size() > mostOfJournal {
		return err
	}
	_, err = r.journal.Write(append(line, '\n'))
	if err != nil {
		return errors.Join(err, r.journal.Truncate(info.Size()))
	}
	return r.journal.Sync()
}

// tail reads the end of a file, from the beginning of a line.
func tail(path string, most int64) ([]byte, error) {
	f, info, err := host.OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	// Half a line is no event, and dropped by who reads it.
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
}
