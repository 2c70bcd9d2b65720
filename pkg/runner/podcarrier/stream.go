// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// bounds are what a kubelet may send through a stream, and how long it may take:
// what is at the other end may be a host that was taken over.
type bounds struct {
	// answer and words are bytes on the standard output and error.
	answer, words int
	// silence is how long nothing may move in either direction, whole how long
	// it may take in all.
	silence, whole time.Duration
}

// usual are the bounds of every stream. An honest kubelet ends the pod at its
// deadline.
func usual() bounds {
	return bounds{answer: 64 << 20, words: 1 << 20, silence: 5 * time.Minute, whole: time.Duration(deadline)*time.Second + time.Minute}
}

// maxText is how much of a text in an answer is kept, maxParts how many things an
// answer may list: each takes more memory here than in the answer.
const (
	maxText  = 8 << 10
	maxParts = 2 << 20
)

// ErrOutOfBounds is wrapped by the error of a stream that was ended here: what has come of
// what was delivered is not known.
var ErrOutOfBounds = errors.New("the stream was ended")

// stream sends the program and the delivery through the pod and returns the
// program's answer.
func (c *Carrier) stream(ctx context.Context, d wire.Delivery) (wire.Answer, error) {
	pod := c.pod
	line, err := json.Marshal(d)
	if err != nil {
		return wire.Answer{}, fmt.Errorf("encode the delivery: %w", err)
	}
	request := c.client.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
		SubResource("attach").VersionedParams(&corev1.PodAttachOptions{
		Container: containerName, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := newExecutor(c.config, request.URL())
	if err != nil {
		return wire.Answer{}, fmt.Errorf("attach to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	in := io.MultiReader(strings.NewReader(readyByte), bytes.NewReader(c.spec.program.Program), bytes.NewReader(append(line, '\n')))
	out, words, err := usual().converse(ctx, executor, in)
	answer, found := findAnswer(out)
	switch {
	case found && answer.Error != "":
		return answer, plan.Refuse(fmt.Errorf("node %s: %s", pod.Spec.NodeName, answer.Error), "%s", wire.Advice(pod.Spec.NodeName, answer.Hint))
	case found:
		return answer, TooLong(answer.Result)
	case strings.Contains(words, noPlace):
		return answer, unplaced(pod.Spec.NodeName)
	case err != nil && strings.Contains(err.Error(), noPlace): // where the stream breaks off
		return answer, unplaced(pod.Spec.NodeName)
	case errors.Is(err, ErrOutOfBounds):
		return answer, plan.Refuse(fmt.Errorf("node %s: %w%s", pod.Spec.NodeName, err, tail(words)),
			"look at the host before you trust it; see: %s", describe(pod.Spec.NodeName))
	case err != nil:
		return answer, plan.Refuse(fmt.Errorf("%w to pod %s/%s: %w%s", ErrNoStream, pod.Namespace, pod.Name, err, tail(words)),
			"attach goes through the API server to port 10250 of the node: may you 'create pods/attach', and is that port open?")
	}
	return answer, fmt.Errorf("the program on node %s ended without an answer%s", pod.Spec.NodeName, tail(words))
}

// noPlace is what the receiver says, and unplaced the error, of a host on which no program
// can be put: a guide to hardening asks for noexec on /var and /run (k3s-io/k3s#7296).
const noPlace = "no directory on this host is writable and executable"

func unplaced(node string) error {
	return plan.Refuse(fmt.Errorf("the program cannot run on the host of node %s: /var/lib and /run are both read-only or mounted noexec",
		node),
		"a removal needs /var/lib for it: allow that on the host until it has ended (mount -o remount,rw,exec /var, if that is its file "+
			"system), and run the command again")
}

// converse streams in, and returns what came out on both ways. A stream that
// brings too much, or nothing for too long, is ended with ErrOutOfBounds.
func (b bounds) converse(ctx context.Context, executor remotecommand.Executor, in io.Reader) (out []byte, words string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := func(format string, args ...any) {
		cancel(fmt.Errorf("%w: "+format, append([]any{ErrOutOfBounds}, args...)...))
	}
	silent := time.AfterFunc(b.silence, func() { end("nothing was heard for %s", b.silence) })
	defer silent.Stop()
	whole := time.AfterFunc(b.whole, func() { end("it took more than %s", b.whole) })
	defer whole.Stop()
	moved := func() { silent.Reset(b.silence) }
	stdout := &capped{left: b.answer, moved: moved, full: func() { end("the host sent more than %d bytes", b.answer) }}
	stderr := &capped{left: b.words, moved: moved, full: func() { end("the host sent more than %d bytes of messages", b.words) }}
	var sent atomic.Bool
	read := func() { sent.Store(true); moved() }
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: heard{in, read}, Stdout: stdout, Stderr: stderr})
	if cause := context.Cause(ctx); errors.Is(cause, ErrOutOfBounds) {
		err = cause
	}
	if err != nil && !sent.Load() {
		err = unopened{err}
	}
	return stdout.take(), string(stderr.take()), err
}

// unopened is the error of a stream in which nothing was sent.
type unopened struct{ error }

// Unwrap is what kept it from being opened.
func (u unopened) Unwrap() error { return u.error }

// NotBegun reports whether an error of a delivery shows that nothing was begun on the host: the
// cluster or the host has refused, or the stream was never opened. Where one has broken, the host
// may have begun.
func NotBegun(err error) bool {
	var never unopened
	return plan.ClassOf(err) == plan.Refused && (errors.As(err, &never) || !errors.Is(err, ErrOutOfBounds) && !errors.Is(err, ErrNoStream))
}

// capped keeps what is written up to a bound. Copying may go on for a moment after
// a stream has ended: what comes then is dropped.
type capped struct {
	mu          sync.Mutex
	kept        bytes.Buffer
	left        int
	taken       bool
	moved, full func()
}

// Write keeps p, or fails where it is too much.
func (w *capped) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken || len(p) > w.left {
		w.full()
		return 0, io.ErrShortWrite
	}
	w.moved()
	w.left -= len(p)
	return w.kept.Write(p)
}

// take returns what was kept; nothing is kept from then on.
func (w *capped) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken = true
	return w.kept.Bytes()
}

// heard reports each piece that is read.
type heard struct {
	io.Reader
	moved func()
}

// Read reads on.
func (h heard) Read(p []byte) (int, error) {
	h.moved()
	return h.Reader.Read(p)
}

// readyByte tells the receiver that something will be streamed.
const readyByte = "\n"

func tail(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return ""
	}
	return ": " + s[max(0, len(s)-500):]
}

// findAnswer returns the last answer in what a host said. Its texts are cut to a
// bound.
func findAnswer(out []byte) (answer wire.Answer, found bool) {
	for line := range bytes.Lines(out) {
		rest, ok := bytes.CutPrefix(line, []byte(wire.AnswerPrefix))
		var next wire.Answer
		if ok && json.Unmarshal(rest, &next) == nil {
			answer, found = next, true
		}
	}
	answer.Error, answer.Hint = cutText(answer.Error), cutText(answer.Hint)
	return answer, found
}

func cutText(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// TooLong refuses a result that would take far more memory here than it has bytes.
func TooLong(result []byte) error {
	if n := bytes.Count(result, []byte{','}); n > maxParts {
		return plan.Refuse(fmt.Errorf("the answer lists more than %d things", maxParts), "look at the host before you trust it")
	}
	return nil
}
