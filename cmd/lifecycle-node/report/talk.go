// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Talk is what goes to and fro while the one who asks waits for the answer. The zero value
// says nothing and gets nothing.
type Talk struct {
	In  *bufio.Reader
	Out io.Writer
}

// mostSent bounds a file that is sent.
const mostSent = 1 << 30

// Say tells what is done.
func (t Talk) Say(format string, args ...any) {
	if t.Out != nil {
		_ = t.write(wire.SayPrefix, Cut(fmt.Sprintf(format, args...), MaxText)) // the answer tells what counts
	}
}

func (t Talk) write(prefix, words string) error {
	line, err := json.Marshal(words)
	if err == nil {
		_, err = fmt.Fprintf(t.Out, "%s%s\n", prefix, line)
	}
	return err
}

// Fetch asks for a file and writes it to a writer.
func (t Talk) Fetch(name string, to io.Writer) error {
	if t.In == nil || t.Out == nil {
		return errors.New("no one is there to send it")
	}
	if err := t.write(wire.SendPrefix, name); err != nil {
		return err
	}
	line, err := t.In.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("the plugin has not sent it: %w", err)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(line)), 10, 64)
	if err != nil || size < 0 || size > mostSent {
		return errors.New("the one who asks does not send it")
	}
	_, err = io.CopyN(to, t.In, size)
	return err
}
