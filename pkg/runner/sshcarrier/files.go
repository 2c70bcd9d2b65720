// SPDX-License-Identifier: Apache-2.0

package sshcarrier

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostAsked bounds how often a host may ask for a file, and mostTold how often it may say
// what it does.
const (
	mostAsked = 256
	mostTold  = 10_000
)

// answered reads lines until the program's answer; others are handed on.
func answered(lines *bufio.Reader, other func(line []byte) error) (answer wire.Answer, err error) {
	for {
		line, err := lines.ReadBytes('\n')
		if raw, is := bytes.CutPrefix(line, []byte(wire.AnswerPrefix)); is {
			if err := json.Unmarshal(raw, &answer); err != nil {
				return answer, fmt.Errorf("decode the answer: %w", err)
			}
			return answer, nil
		}
		if err != nil {
			return answer, errNoAnswer
		}
		if err := other(line); err != nil {
			return answer, err
		}
	}
}

// spoken is what is done with a line that is no answer: what the program does is told, and
// a file that it asks for is sent. Only files of Files are.
func (h Host) spoken(s stream) func(line []byte) error {
	asked, told := 0, 0
	return func(line []byte) error {
		var words string
		if raw, is := bytes.CutPrefix(line, []byte(wire.SayPrefix)); is && json.Unmarshal(raw, &words) == nil {
			if told++; told <= mostTold {
				s.report("%s: %s", h.Destination, text.Line(words))
			}
			return nil
		}
		raw, is := bytes.CutPrefix(line, []byte(wire.SendPrefix))
		if !is || h.Files == nil || json.Unmarshal(raw, &words) != nil {
			return nil
		}
		if asked++; asked > mostAsked {
			return fmt.Errorf("the host has asked for more than %d files", mostAsked)
		}
		return h.send(s, words)
	}
}

// send sends one file. A host that takes no more of it has something to say: the answer is
// read then.
func (h Host) send(s stream, name string) error {
	content, size, err := h.Files(name)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was read
	s.report("%s: sending %s (%d MiB)", h.Destination, name, (size+1<<20-1)>>20)
	if _, err := fmt.Fprintf(s.in, "%d\n", size); err != nil {
		return nil //nolint:nilerr // see above
	}
	sent, err := io.CopyN(s.in, content, size)
	if err == io.EOF && sent < size { //nolint:errorlint // CopyN's own
		return fmt.Errorf("%s has become shorter while it was sent", name)
	}
	return nil
}
