// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// ears hear everything that is said during the story: outputs, run records,
// process arguments; events and journals are read at the end. What they look
// for are secrets.
type ears struct {
	mu    sync.Mutex
	heard map[string]string // text → where it was heard first
	// tokens are the bootstrap tokens that were ever there, with their IDs.
	tokens map[string]string
	// records counts the states of run records that were heard, and joins the
	// hosts that joined, so that deafness shows.
	records, joins int
	since          time.Time
}

// secretShapes are what no text may contain, whatever its value.
func secretShapes() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"a ServiceAccount token": regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}`),
		"a private key":          regexp.MustCompile(`BEGIN [A-Z ]*PRIVATE KEY`),
		// "-----BEGIN " + RSA, EC or PRIVATE, in base64
		"a private key in base64": regexp.MustCompile(`LS0tLS1CRUdJTiB(SU0EgUF|FQyBQU|QUklWQV)`),
	}
}

// listen starts to listen, until the test ends.
func listen(t *testing.T, client kubernetes.Interface) *ears {
	t.Helper()
	e := &ears{heard: map[string]string{}, tokens: map[string]string{}, since: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { e.watchSecrets(ctx, client) })
	group.Go(func() { e.watchPrograms(ctx) })
	t.Cleanup(func() { cancel(); group.Wait() })
	return e
}

func (e *ears) hear(where, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.heard[text]; !known {
		e.heard[text] = where
	}
}

// learn adds a secret that no output may contain; what says what it is.
func (e *ears) learn(secret, what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tokens[secret] = what
}

// watchSecrets hears every state of every run record, and learns the bootstrap
// tokens.
func (e *ears) watchSecrets(ctx context.Context, client kubernetes.Interface) {
	for ctx.Err() == nil {
		w, err := client.CoreV1().Secrets(metav1.NamespaceSystem).Watch(ctx, metav1.ListOptions{})
		if err != nil {
			continue
		}
		for event := range w.ResultChan() {
			secret, ok := event.Object.(*corev1.Secret)
			if !ok || event.Type == watch.Bookmark {
				break
			}
			e.secret(secret)
		}
		w.Stop()
	}
}

func (e *ears) secret(secret *corev1.Secret) {
	if secret.Type == corev1.SecretTypeBootstrapToken {
		e.mu.Lock()
		e.tokens[string(secret.Data["token-secret"])] = string(secret.Data["token-id"])
		e.mu.Unlock()
	}
	if secret.Labels[runnerLabel] == "" {
		return
	}
	e.mu.Lock()
	e.records++
	e.mu.Unlock()
	for key, value := range secret.Data {
		e.hear("run record "+secret.Name+", key "+key, string(value))
	}
	e.hear("annotations of run record "+secret.Name, fmt.Sprint(secret.Annotations))
}

// watchPrograms hears the arguments of every process that the story has started, and
// of those of the hosts, which are containers here, and the environment of ours. What
// else runs on this machine, other tests among it, is not of the story.
func (e *ears) watchPrograms(ctx context.Context) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	known := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil || len(raw) == 0 || known[string(raw)] || !ofStory(filepath.Base(filepath.Dir(path))) {
				continue
			}
			known[string(raw)] = true
			line := strings.ReplaceAll(string(raw), "\x00", " ")
			e.hear("process arguments", line)
			if strings.Contains(line, "lifecycle-node") {
				if env, err := os.ReadFile(filepath.Join(filepath.Dir(path), "environ")); err == nil {
					e.hear("environment of "+line, string(env))
				}
			}
		}
	}
}

// ofStory reports whether a process is of a container, or descends from this test.
func ofStory(pid string) bool {
	cgroup, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil || strings.Contains(string(cgroup), "docker") {
		return err == nil
	}
	self := strconv.Itoa(os.Getpid())
	for pid != self {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		// "PID (COMMAND) STATE PPID …", and the command may hold anything.
		_, rest, found := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
		fields := strings.Fields(rest)
		if err != nil || !found || len(fields) < 2 || fields[1] == "0" {
			return false
		}
		pid = fields[1]
	}
	return true
}

// hearEnd adds what was written down during the story: events and journals.
func (e *ears) hearEnd(t *testing.T, b *bed, hosts ...string) {
	t.Helper()
	e.hear("events", b.kubectl(t, "", "get", "events", "-A", "-o", "json"))
	for _, host := range hosts {
		since := e.since.UTC().Format("2006-01-02 15:04:05 UTC")
		e.hear("journal of "+host, b.host(t, host, "journalctl --no-pager --quiet --since '"+since+"'"))
	}
}

// deaf returns a sentence for each kind of thing that should have been heard,
// and for each secret that would not have been known for one.
func (e *ears) deaf(secrets map[string]string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	heard := map[string]bool{}
	for text, where := range e.heard {
		kind, _, _ := strings.Cut(where, " of ")
		heard[kind] = true
		for token := range e.tokens {
			heard["join command"] = heard["join command"] || strings.Contains(text, "kubeadm join") && strings.Contains(text, token)
		}
	}
	for _, kind := range []string{"stdout", "stderr", "process arguments", "events", "journal", "environment", "join command"} {
		if !heard[kind] && (kind != "join command" || e.joins > 0) {
			out = append(out, "nothing was heard of: "+kind)
		}
	}
	if e.records == 0 {
		out = append(out, "no run record was seen")
	}
	for what, secret := range secrets {
		if !secretShapes()[what].MatchString(secret) {
			out = append(out, "not known for what it is: "+what)
		}
	}
	return out
}

// secrets returns a sentence for each secret that was heard where it must not
// be. A bootstrap token may be said on the line of a join command, and only
// there.
func (e *ears) secrets() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []string
	for text, where := range e.heard {
		for what, shape := range secretShapes() {
			if at := shape.FindStringIndex(text); at != nil {
				found = append(found, fmt.Sprintf("%s: %s near %q", where, what, text[max(0, at[0]-60):at[0]]))
			}
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "kubeadm join") {
				continue
			}
			for token, id := range e.tokens {
				if strings.Contains(line, token) {
					found = append(found, fmt.Sprintf("%s: the secret of bootstrap token %s", where, id))
				}
			}
		}
	}
	return found
}
