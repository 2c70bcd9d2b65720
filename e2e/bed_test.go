// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Limits: no call waits for ever.
const (
	commandLimit = 4 * time.Minute
	hostLimit    = 2 * time.Minute
)

// bed is the test bed, the plugin, and the two that listen to it all along.
type bed struct {
	name, kubeconfig    string
	kubectlPath, plugin string
	chart, image        string
	controlPlane        string
	worker, worker2     string
	blank               string // the host that joins and leaves
	frozen              string // the outer end of its link while that is down
	config              *rest.Config
	client              *kubernetes.Clientset
	ears                *ears
	pristine            dump // of blank, before it ever joined
	times               []timing
	env                 []string // of the plugin, beside this program's own
}

// timing is one line of the summary.
type timing struct {
	what string
	took time.Duration
}

// newBed reads the environment that "testbed env" prints.
func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{
		name: need(t, "TESTBED_NAME"), kubeconfig: need(t, "KUBECONFIG"), kubectlPath: need(t, "TESTBED_KUBECTL"),
		chart: need(t, "TESTBED_FLANNEL_CHART"), image: need(t, "TESTBED_AGNHOST_IMAGE"), blank: need(t, "TESTBED_BLANK"),
		plugin: os.Getenv("LIFECYCLE_PLUGIN"),
	}
	if b.plugin == "" {
		b.plugin = "../bin/kubectl-lifecycle"
	}
	var err error
	if b.plugin, err = filepath.Abs(b.plugin); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.plugin); err != nil {
		t.Fatalf("%v: run 'make build' first", err)
	}
	b.controlPlane, b.worker, b.worker2 = b.name+"-control-plane", b.name+"-worker", b.name+"-worker2"
	if b.config, err = clientcmd.BuildConfigFromFlags("", b.kubeconfig); err != nil {
		t.Fatal(err)
	}
	b.config.QPS, b.config.WarningHandler = -1, rest.NoWarnings{}
	if b.client, err = kubernetes.NewForConfig(b.config); err != nil {
		t.Fatal(err)
	}
	return b
}

func need(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf(`%s is not set: eval "$(cd hack/testbed && TESTBED_NAME=lifecycle-e2e-1 go run . env)"`, name)
	}
	return value
}

// outcome is what a command said and how it ended.
type outcome struct {
	args           []string
	code           int
	stdout, stderr string
	took           time.Duration
}

// says fails the test unless all texts occur in what was written to stderr.
func (o outcome) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("%v: stderr does not say %q:\n%s", o.args, text, o.stderr)
		}
	}
}

// running is a plugin that has been started.
type running struct {
	bed    *bed
	cmd    *exec.Cmd
	cancel context.CancelFunc
	out    lockedBuffer
	err    lockedBuffer
	start  time.Time
	args   []string
}

// start starts the plugin without a terminal.
func (b *bed) start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	r := &running{bed: b, cancel: cancel, start: time.Now(), args: args}
	r.cmd = exec.CommandContext(ctx, b.plugin, args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.err
	r.cmd.Env = append(os.Environ(), "KUBECONFIG="+b.kubeconfig, "HELM_CACHE_HOME="+t.TempDir())
	if b.env != nil {
		r.cmd.Env = append(r.cmd.Env, b.env...)
	}
	if err := r.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return r
}

// wait returns how the plugin ended.
func (r *running) wait(t *testing.T) outcome {
	t.Helper()
	defer r.cancel()
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", r.args, err)
	}
	o := outcome{args: r.args, code: r.cmd.ProcessState.ExitCode(), stdout: r.out.String(), stderr: r.err.String(), took: time.Since(r.start)}
	r.bed.ears.hear("stdout of "+strings.Join(r.args, " "), o.stdout)
	r.bed.ears.hear("stderr of "+strings.Join(r.args, " "), o.stderr)
	t.Logf("$ kubectl lifecycle %s   (exit %d, %s)\n%s%s", strings.Join(r.args, " "), o.code, o.took.Round(100*time.Millisecond),
		o.stderr, shown(o.stdout))
	return o
}

// shown is a result as the log of the test shows it: long ones are cut.
func shown(out string) string {
	const longest = 2000
	if strings.Contains(out, "kubeadm join") {
		return "(a join command)\n"
	}
	if len(out) > longest {
		return out[:longest] + "…\n"
	}
	return out
}

// run runs the plugin to its end and checks its exit code.
func (b *bed) run(t *testing.T, code int, args ...string) outcome {
	t.Helper()
	o := b.start(t, args...).wait(t)
	if o.code != code {
		t.Errorf("%v: exit code %d, want %d", args, o.code, code)
	}
	return o
}

// must is run for what later assertions build on.
func (b *bed) must(t *testing.T, args ...string) outcome {
	t.Helper()
	o := b.start(t, args...).wait(t)
	if o.code != 0 {
		t.Fatalf("%v: exit code %d", args, o.code)
	}
	return o
}

// kubectl runs kubectl and returns its stdout; input may be empty.
func (b *bed) kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := b.tryKubectl(t, input, args...)
	if err != nil {
		t.Fatalf("kubectl %v: %v", args, err)
	}
	return out
}

func (b *bed) tryKubectl(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	return command(t, hostLimit, input, b.kubectlPath, append([]string{"--kubeconfig=" + b.kubeconfig}, args...)...)
}

// host runs a shell script on a host and returns its stdout.
func (b *bed) host(t *testing.T, name, script string) string {
	t.Helper()
	out, err := b.tryHost(t, name, script)
	if err != nil {
		t.Fatalf("on host %s: %v", name, err)
	}
	return out
}

func (b *bed) tryHost(t *testing.T, name, script string) (string, error) {
	t.Helper()
	return command(t, hostLimit, script, "docker", "exec", "-i", name, "sh", "-s")
}

// command runs a program with a deadline; the error holds its stderr.
func command(t *testing.T, limit time.Duration, input, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	return output(exec.CommandContext(ctx, program, args...), input)
}

// commandIn is command in another directory.
func commandIn(t *testing.T, dir, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	return output(cmd, "")
}

func output(cmd *exec.Cmd, input string) (string, error) {
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), errors.Join(err, errors.New(strings.TrimSpace(errOut.String())))
	}
	return out.String(), nil
}

// eventually asks again until a condition holds; got is what it shows when it
// never does.
func eventually(t *testing.T, limit time.Duration, what string, holds func() (ok bool, got string)) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, got := holds()
		if ok {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: not within %s; last: %s", what, limit, got)
		case <-tick.C:
		}
	}
}

// node reads a Node; nil when there is none.
func (b *bed) node(t *testing.T, name string) *corev1.Node {
	t.Helper()
	nodes, err := b.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) == 0 {
		return nil
	}
	return &nodes.Items[0]
}

// isReady says whether a Node is there and Ready.
func isReady(node *corev1.Node) bool {
	if node == nil {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// took notes a time for the summary.
func (b *bed) took(what string, d time.Duration) {
	b.times = append(b.times, timing{what, d})
}
