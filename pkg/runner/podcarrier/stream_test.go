// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// kubelet is an API server with a kubelet behind it that does what it likes with
// the streams of an attach: in, out, messages, and the status in the end.
func kubelet(t *testing.T, does func(in io.Reader, out, words, status io.Writer)) *url.URL {
	t.Helper()
	channels := []wsstream.ChannelType{wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel,
		wsstream.ReadChannel}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{remotecommand.StreamProtocolV5Name: {Binary: true,
			Channels: channels}})
		_, streams, err := conn.Open(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		does(streams[0], streams[1], streams[2], streams[3])
		_ = conn.Close()
	}))
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL + "/attach")
	must(t, err)
	return target
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writes writes one thing until nobody reads any more.
func writes(w io.Writer, what string) {
	for {
		if _, err := io.WriteString(w, what); err != nil {
			return
		}
	}
}

func TestAHostCanNeitherFloodNorKeepTheOneWhoAsks(t *testing.T) {
	much := strings.Repeat("x", 32<<10)
	silence := make(chan struct{})
	defer close(silence)
	cases := map[string]struct {
		does   func(in io.Reader, out, words, status io.Writer)
		bounds bounds
		says   string
	}{
		"it floods the answer": {func(_ io.Reader, out, _, _ io.Writer) { writes(out, much) },
			bounds{1 << 20, 1 << 10, time.Minute, time.Minute}, "more than 1048576 bytes"},
		"it floods the messages": {func(_ io.Reader, _, words, _ io.Writer) { writes(words, much) },
			bounds{1 << 20, 64 << 10, time.Minute, time.Minute}, "more than 65536 bytes of messages"},
		"it says nothing": {func(io.Reader, io.Writer, io.Writer, io.Writer) { <-silence },
			bounds{1 << 20, 1 << 10, 100 * time.Millisecond, time.Minute}, "nothing was heard for 100ms"},
		"it always says a bit": {func(_ io.Reader, out, _, _ io.Writer) { drips(out) }, bounds{1 << 20, 1 << 10, time.Minute,
			300 * time.Millisecond}, "it took more than 300ms"},
		"it answers, and never ends": {func(_ io.Reader, out, _, _ io.Writer) { _, _ = io.WriteString(out, "answer\n"); <-silence },
			bounds{1 << 20, 1 << 10, 200 * time.Millisecond, time.Minute}, "nothing was heard"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			target := kubelet(t, c.does)
			executor, err := newExecutor(&rest.Config{Host: target.Host}, target)
			must(t, err)
			out, words, err := c.bounds.converse(t.Context(), executor, strings.NewReader("program"))
			if !errors.Is(err, ErrOutOfBounds) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if len(out) > c.bounds.answer || len(words) > c.bounds.words {
				t.Errorf("kept %d and %d bytes", len(out), len(words))
			}
		})
	}
}

// drips writes a byte now and then.
func drips(w io.Writer) {
	for range time.Tick(20 * time.Millisecond) {
		if _, err := io.WriteString(w, "."); err != nil {
			return
		}
	}
}

func TestAnHonestHostIsHeardOut(t *testing.T) {
	target := kubelet(t, func(in io.Reader, out, words, status io.Writer) {
		got := make([]byte, len("program"))
		if _, err := io.ReadFull(in, got); err != nil {
			return
		}
		_, _ = io.WriteString(words, "a warning")
		_, _ = io.WriteString(out, string(got)+" ran\n")
		_, _ = io.WriteString(status, `{"metadata":{},"status":"Success"}`)
	})
	executor, err := newExecutor(&rest.Config{Host: target.Host}, target)
	must(t, err)
	out, words, err := usual().converse(t.Context(), executor, strings.NewReader("program"))
	if err != nil || string(out) != "program ran\n" || words != "a warning" {
		t.Errorf("%q, %q, %v", out, words, err)
	}
}

func TestAHostWithoutAPlaceForAProgramIsToldWithTheWayOut(t *testing.T) {
	for name, ends := range map[string]string{
		"the stream ends with its exit code": `{"metadata":{},"status":"Failure","message":"exit 71"}`,
		"the stream ends well":               `{"metadata":{},"status":"Success"}`,
		"the stream breaks off":              ``,
	} {
		t.Run(name, func(t *testing.T) {
			target := kubelet(t, func(_ io.Reader, _, words, status io.Writer) {
				_, _ = io.WriteString(words, noPlace+" (tried /var/lib and /run)\n")
				_, _ = io.WriteString(status, ends)
			})
			config := &rest.Config{Host: target.Host}
			client, err := kubernetes.NewForConfig(config)
			must(t, err)
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-w1"}, Spec: corev1.PodSpec{NodeName: "w1"}}
			_, err = (&Carrier{client: client, config: config, pod: pod}).stream(t.Context(), wire.Delivery{})
			if err == nil || errors.Is(err, ErrNoStream) || !strings.Contains(err.Error(), "mounted noexec") ||
				!strings.Contains(plan.HintOf(err), "remount,rw,exec /var") {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

func TestAnAnswerOfTooManyThingsIsRefused(t *testing.T) {
	if err := TooLong(bytes.Repeat([]byte("{},"), maxParts+1)); err == nil {
		t.Error("it would be decoded")
	}
	if err := TooLong([]byte(`[1,2,3]`)); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheLastAnswerCounts(t *testing.T) {
	got, found := findAnswer([]byte(wire.AnswerPrefix + `{"error":"e","hint":"h"}` + "\n" + wire.AnswerPrefix + `{"started":true}` + "\n"))
	if !found || !got.Started || got.Error != "" || got.Hint != "" {
		t.Errorf("%+v, %v", got, found)
	}
}

func FuzzFindAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "noise\n" + wire.AnswerPrefix + `{"started":true}` + "\n", wire.AnswerPrefix + `{"result":[1,{"a":null}]}`,
		wire.AnswerPrefix + `{"error":"` + strings.Repeat("ü", maxText) + `"}`, wire.AnswerPrefix + "null\n" + wire.AnswerPrefix +
			"{", wire.AnswerPrefix + `{"result":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		answer, found := findAnswer(out)
		if len(answer.Error) > maxText+len("…") || len(answer.Hint) > maxText+len("…") || len(answer.Result) > len(out) {
			t.Errorf("%d bytes became %d, %d and %d", len(out), len(answer.Error), len(answer.Hint), len(answer.Result))
		}
		if !utf8.ValidString(answer.Error + answer.Hint) {
			t.Errorf("invalid UTF-8: %q, %q", answer.Error, answer.Hint)
		}
		if len(answer.Result) > 0 && !json.Valid(answer.Result) {
			t.Errorf("a result that is no JSON: %q", answer.Result)
		}
		if found && !bytes.Contains(out, []byte(wire.AnswerPrefix)) {
			t.Error("an answer out of nothing")
		}
	})
}

// What is to be done is read as advice of the program's: a host's is told as its own.
func TestAHostsAdviceIsToldAsItsOwn(t *testing.T) {
	target := kubelet(t, func(_ io.Reader, out, _, status io.Writer) {
		_, _ = io.WriteString(out, wire.AnswerPrefix+
			`{"error":"no","hint":"kubectl create clusterrolebinding x --clusterrole cluster-admin --user eve"}`+"\n")
		_, _ = io.WriteString(status, `{"metadata":{},"status":"Success"}`)
	})
	config := &rest.Config{Host: target.Host}
	client, err := kubernetes.NewForConfig(config)
	must(t, err)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-w1"}, Spec: corev1.PodSpec{NodeName: "w1"}}
	_, err = (&Carrier{client: client, config: config, pod: pod}).stream(t.Context(), wire.Delivery{})
	if hint := plan.HintOf(err); !strings.HasPrefix(hint, "the host of w1 advises: kubectl create") {
		t.Errorf("error %v, hint %q", err, hint)
	}
}

// A stream that was never opened has begun nothing; of one that fell silent, nothing tells.
func TestOnlyWhatWasSentMayHaveBegunSomething(t *testing.T) {
	closed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Debug endpoints are disabled.", http.StatusMethodNotAllowed)
	}))
	defer closed.Close()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	usual := bounds{1 << 20, 1 << 10, time.Minute, time.Minute}
	refusal := func(err error) error {
		return plan.Refuse(fmt.Errorf("%w to pod x: %w", ErrNoStream, err), "port 10250")
	}
	for name, base := range map[string]string{"it is refused": closed.URL, "nothing is there": away.URL} {
		target, err := url.Parse(base)
		must(t, err)
		executor, err := newExecutor(&rest.Config{Host: target.Host}, target)
		must(t, err)
		_, _, err = usual.converse(t.Context(), executor, strings.NewReader("program"))
		if err == nil || !NotBegun(refusal(err)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	silence := make(chan struct{})
	defer close(silence)
	target := kubelet(t, func(in io.Reader, _, _, _ io.Writer) {
		_, _ = io.ReadFull(in, make([]byte, 3))
		<-silence
	})
	executor, err := newExecutor(&rest.Config{Host: target.Host}, target)
	must(t, err)
	brief := bounds{1 << 20, 1 << 10, 300 * time.Millisecond, time.Minute}
	if _, _, err = brief.converse(t.Context(), executor, strings.NewReader("program")); err == nil || NotBegun(refusal(err)) {
		t.Errorf("one that fell silent: %v", err)
	}
	if !NotBegun(plan.Refuse(errors.New("may not create pods"), "ask")) || NotBegun(errors.New("EOF")) || NotBegun(nil) {
		t.Error("refusals")
	}
}
