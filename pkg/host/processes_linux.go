// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Processes calls each with the pid of every process of this machine, in no
// order, until it returns false. However many there are, only some of their names
// are in memory at a time.
func Processes(each func(pid int) (more bool)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	defer func() { _ = proc.Close() }() // it was read
	err = eachName(proc, func(name string) bool {
		pid, err := strconv.Atoi(name)
		return err != nil || each(pid)
	})
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	return nil
}

// batch is how many names of a directory are read at a time.
const batch = 1 << 10

// eachName calls each with the names in a directory until it returns false.
func eachName(dir *os.File, each func(name string) (more bool)) error {
	for {
		names, err := dir.Readdirnames(batch)
		for _, name := range names {
			if !each(name) {
				return nil
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
