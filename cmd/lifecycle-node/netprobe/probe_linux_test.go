// SPDX-License-Identifier: Apache-2.0

package netprobe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// begun is a probe that runs, what is written to it, and the results that it writes.
func begun(t *testing.T) (port int, jobs *io.PipeWriter, results *bufio.Scanner) {
	t.Helper()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, ok := free.Addr().(*net.TCPAddr)
	if err := free.Close(); err != nil || !ok {
		t.Fatal(err)
	}
	in, jobs := io.Pipe()
	lines, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Run(t.Context(), in, out, []string{fmt.Sprint(address.Port)}) }()
	t.Cleanup(func() {
		go func() { _, _ = io.Copy(io.Discard, lines) }()
		if err := jobs.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("it does not end well with its input: %v", err)
		}
	})
	results = bufio.NewScanner(lines)
	if hello := next(t, results); hello.Hello == nil {
		t.Fatalf("it does not say what it is: %+v", hello)
	}
	return address.Port, jobs, results
}

func next(t *testing.T, results *bufio.Scanner) wire.ProbeResult {
	t.Helper()
	if !results.Scan() {
		t.Fatal(results.Err())
	}
	line, is := bytes.CutPrefix(results.Bytes(), []byte(wire.ProbePrefix))
	var r wire.ProbeResult
	if err := json.Unmarshal(line, &r); err != nil || !is {
		t.Fatalf("%q: %v", results.Text(), err)
	}
	return r
}

func TestAProbeDoesWhatItReads(t *testing.T) {
	port, jobs, results := begun(t)
	own := fmt.Sprintf("127.0.0.1:%d", port)
	silent, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }() // it was not read
	for i, c := range []struct {
		name string
		job  wire.ProbeJob
		why  string
	}{
		{"bytes come back", wire.ProbeJob{Kind: wire.ProbeTCP, To: own, Size: 100_000}, ""},
		{"a packet comes back", wire.ProbeJob{Kind: wire.ProbeSized, To: own, Size: 1450}, ""},
		{"nothing listens", wire.ProbeJob{Kind: wire.ProbeTCP, To: "127.0.0.1:1", Size: 1}, "connection refused"},
		{"a packet is lost", wire.ProbeJob{Kind: wire.ProbeSized, To: silent.LocalAddr().String(), Size: 1450},
			"a packet of 1450 bytes does not"},
		{"no certificate authority", wire.ProbeJob{Kind: wire.ProbeTLS, To: own}, "authority cannot be read"},
		{"an unknown kind", wire.ProbeJob{Kind: "x"}, `unknown job "x"`},
		{"an empty job", wire.ProbeJob{}, "unknown job"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.job.ID, c.job.Limit = i+1, time.Second
			line, err := json.Marshal(c.job)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jobs.Write(append(line, '\n')); err != nil {
				t.Fatal(err)
			}
			got := next(t, results)
			if size := c.job.Size; c.job.Kind == wire.ProbeSized && got.Size != size {
				t.Errorf("%d of %d bytes were sent", got.Size, size)
			}
			if got.ID != i+1 || (c.why == "") != (got.Why == "") || !strings.Contains(got.Why, c.why) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAProbeNeedsAPort(t *testing.T) {
	for _, args := range [][]string{nil, {"x"}, {"70000"}, {"1", "2"}} {
		if err := Run(t.Context(), strings.NewReader(""), io.Discard, args); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
}

func FuzzJobs(f *testing.F) {
	f.Add([]byte(`{"id":1,"kind":"x"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var job wire.ProbeJob
		if json.Unmarshal(raw, &job) != nil || job.Kind == wire.ProbeTCP || job.Kind == wire.ProbeSized || job.Kind == wire.ProbeName ||
			job.Kind == wire.ProbeTLS {
			return // nothing is sent anywhere for a test
		}
		if r := do(t.Context(), job); r.Why == "" {
			t.Errorf("%q was done", raw)
		}
	})
}
