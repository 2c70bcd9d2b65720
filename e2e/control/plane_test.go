// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// plane is the control plane, and the two programs that are compared on it.
type plane struct {
	kubeconfig, audit string
	kubectl, plugin   string
	config            *rest.Config
	client            *kubernetes.Clientset
	// space is the namespace of the test, and nodes are its own.
	space string
	nodes []string
}

// newPlane gives a test a namespace and n nodes of its own, which are gone
// afterwards. Every pod of a test is tied to them by the label "test".
func newPlane(t *testing.T, n int) *plane {
	t.Helper()
	p := &plane{kubeconfig: need(t, "CONTROL_KUBECONFIG"), audit: need(t, "CONTROL_AUDIT_LOG"), kubectl: need(t, "TESTBED_KUBECTL"),
		plugin: os.Getenv("LIFECYCLE_PLUGIN")}
	var err error
	if p.plugin == "" {
		p.plugin, err = filepath.Abs("../../bin/kubectl-lifecycle")
	}
	if err == nil {
		_, err = os.Stat(p.plugin)
	}
	if err != nil {
		t.Fatalf("%v: run 'make build' first", err)
	}
	if p.config, err = clientcmd.BuildConfigFromFlags("", p.kubeconfig); err != nil {
		t.Fatal(err)
	}
	p.config.QPS, p.config.UserAgent = -1, "e2e"
	p.client = kubernetes.NewForConfigOrDie(p.config)
	p.space = strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(t.Name()))
	p.space = fmt.Sprintf("%s-%x", strings.TrimRight(p.space[:min(len(p.space), 30)], "-"), sum.Sum32())
	p.forget(t)
	if _, err := p.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.space}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.forget(t) })
	p.addNodes(t, n)
	return p
}

func need(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf(`%s is not set: eval "$(cd hack/testbed && go run . control env)"`, name)
	}
	return value
}

// addNodes makes n more nodes and waits until kwok has made them Ready; the
// earlier ones may be cordoned.
func (p *plane) addNodes(t *testing.T, n int) {
	t.Helper()
	fresh := len(p.nodes)
	for range n {
		name := fmt.Sprintf("%s-%d", p.space, len(p.nodes))
		p.nodes = append(p.nodes, name)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"test": p.space, corev1.LabelHostname: name}}}
		if _, err := p.client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	p.until(t, "the nodes are Ready", func(ctx context.Context) (bool, error) {
		list, err := p.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "test=" + p.space})
		ready := 0
		for _, node := range list.Items {
			for _, c := range node.Status.Conditions {
				if slices.Contains(p.nodes[fresh:], node.Name) && c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue &&
					len(node.Spec.Taints) == 0 {
					ready++
				}
			}
		}
		return ready == n, err
	})
}

// forget removes everything of the test, after a failed one too.
func (p *plane) forget(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
	defer cancel()
	err := p.client.CoreV1().Namespaces().Delete(ctx, p.space, metav1.DeleteOptions{})
	if err != nil && !strings.Contains(err.Error(), "not found") {
		t.Error(err)
	}
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		spaces, err := p.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + p.space})
		return len(spaces.Items) == 0, err
	})
	if err != nil {
		t.Errorf("wait until namespace %s is gone: %v", p.space, err)
	}
	// Only then: kwok ends no pod whose node is gone.
	err = p.client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "test=" + p.space})
	if err != nil {
		t.Error(err)
	}
}

// until waits for a condition.
func (p *plane) until(t *testing.T, what string, is func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, limit, true, is); err != nil {
		t.Fatalf("wait until %s: %v", what, err)
	}
}

// outcome is how a command ended.
type outcome struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

func (o outcome) all() string { return o.stdout + o.stderr }

// command is a program under way.
type command struct {
	cmd      *exec.Cmd
	out, err lockedBuffer
	began    time.Time
}

// start starts kubectl or the plugin; end waits for it.
func (p *plane) start(t *testing.T, program, kubeconfig string, args ...string) *command {
	t.Helper()
	c := &command{began: time.Now()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit) // in Cleanup, too
	t.Cleanup(cancel)
	c.cmd = exec.CommandContext(ctx, program, append([]string{"--kubeconfig", kubeconfig}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *command) end(t *testing.T) outcome {
	t.Helper()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{code: c.cmd.ProcessState.ExitCode(), stdout: c.out.String(), stderr: c.err.String(), took: time.Since(c.began)}
}

// ours and theirs run a command of the plugin and of kubectl to its end.
func (p *plane) ours(t *testing.T, args ...string) outcome {
	t.Helper()
	return p.start(t, p.plugin, p.kubeconfig, args...).end(t)
}

func (p *plane) theirs(t *testing.T, args ...string) outcome {
	t.Helper()
	return p.start(t, p.kubectl, p.kubeconfig, args...).end(t)
}

// apply creates or changes objects.
func (p *plane) apply(t *testing.T, manifest string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.kubectl, "--kubeconfig", p.kubeconfig, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(raw []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(raw)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
