// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// ProbePort is where probes answer each other, in their own pods.
const ProbePort = 8080

// ProbeLabel marks the pods of one probe, so that a Service finds them.
const ProbeLabel = "lifecycle.kubectl.io/probe"

// unattended is how long a pod waits for the one who has made it.
const unattended = time.Minute

// answerLimit is how much longer than its job the answer of a probe may take.
const answerLimit = 10 * time.Second

// ProbeRequest says where a probe is to run.
type ProbeRequest struct {
	Request
	// ID tells the pods of one probe from those of another.
	ID string
	// HostPort leads to the probe from its host's address; 0 for none.
	HostPort int32
}

// probing is what a probe's pod has besides a door's.
type probing struct {
	id       string
	hostPort int32
}

// Probe is a pod in the pod network, with the node program in it.
type Probe struct {
	*Carrier
	// IP is the pod's address, once it runs.
	IP string

	// writing lets one line into the stream at a time.
	writing sync.Mutex
	mu      sync.Mutex
	in      *io.PipeWriter
	ids     int
	answer  map[int]chan wire.ProbeResult
	hello   chan wire.ProbeHello
	// ended is closed when nothing comes any more, for the reason lost.
	ended chan struct{}
	lost  error
}

// NewProbe gathers what the pod is made of; nothing has changed by then.
func NewProbe(ctx context.Context, client kubernetes.Interface, config *rest.Config, r ProbeRequest, report plan.Report) (*Probe, error) {
	c, err := New(ctx, client, config, r.Request, report)
	if err != nil {
		return nil, err
	}
	c.spec.probe = &probing{id: r.ID, hostPort: r.HostPort}
	return &Probe{Carrier: c, answer: map[int]chan wire.ProbeResult{}, hello: make(chan wire.ProbeHello, 1), ended: make(chan struct{})}, nil
}

// Start makes the pod, waits until it runs, streams the program into it, and returns
// what the program says of the pod.
func (p *Probe) Start(ctx context.Context, report plan.Report) (wire.ProbeHello, error) {
	if err := p.Open(ctx, report); err != nil {
		return wire.ProbeHello{}, err
	}
	got, err := Named(ctx, p.client, p.pod.Namespace, p.pod.Name)
	if err != nil {
		return wire.ProbeHello{}, err
	}
	if got == nil || got.UID != p.pod.UID {
		return wire.ProbeHello{}, fmt.Errorf("pod %s/%s was deleted", p.pod.Namespace, p.pod.Name)
	}
	p.IP = got.Status.PodIP
	if err := p.attach(ctx); err != nil {
		return wire.ProbeHello{}, err
	}
	select {
	case hello := <-p.hello:
		return hello, nil
	case <-p.ended:
		return wire.ProbeHello{}, p.lost
	case <-ctx.Done():
		return wire.ProbeHello{}, context.Cause(ctx)
	}
}

// Ask has the probe do a job, and returns what came of it.
func (p *Probe) Ask(ctx context.Context, job wire.ProbeJob) (wire.ProbeResult, error) {
	p.mu.Lock()
	p.ids++
	job.ID = p.ids
	done := make(chan wire.ProbeResult, 1)
	p.answer[job.ID] = done
	p.mu.Unlock()
	line, err := json.Marshal(job)
	if err != nil {
		return wire.ProbeResult{}, fmt.Errorf("ask the probe on node %s: %w", p.spec.node.Name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, job.Limit+answerLimit, fmt.Errorf("the probe on node %s does not answer", p.spec.node.Name))
	defer cancel()
	select {
	case err := <-p.write(append(line, '\n')):
		if err != nil {
			return wire.ProbeResult{}, fmt.Errorf("ask the probe on node %s: %w", p.spec.node.Name, err)
		}
	case <-p.ended:
		return wire.ProbeResult{}, p.lost
	case <-ctx.Done():
		return wire.ProbeResult{}, context.Cause(ctx)
	}
	select {
	case r := <-done:
		return r, nil
	case <-p.ended:
		return wire.ProbeResult{}, p.lost
	case <-ctx.Done():
		return wire.ProbeResult{}, context.Cause(ctx)
	}
}

// write writes a line into the stream, one at a time. A kubelet may read nothing: who
// waits for it need not wait for that. Close ends what still waits.
func (p *Probe) write(line []byte) <-chan error {
	written := make(chan error, 1)
	go func() {
		p.writing.Lock()
		defer p.writing.Unlock()
		_, err := p.in.Write(line)
		written <- err
	}()
	return written
}

// Owner makes what is made for the probe go with its pod.
func (p *Probe) Owner() metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: p.pod.Name, UID: p.pod.UID}
}

// Close ends the program, and deletes the pod.
func (p *Probe) Close(ctx context.Context) error {
	if p.in != nil {
		_ = p.in.Close() // the pod is deleted anyway
	}
	return p.Carrier.Close(ctx)
}

// attach streams the program into the pod, and keeps the stream for jobs.
func (p *Probe) attach(ctx context.Context) error {
	request := p.client.CoreV1().RESTClient().Post().Namespace(p.pod.Namespace).Resource("pods").Name(p.pod.Name).
		SubResource("attach").VersionedParams(&corev1.PodAttachOptions{
		Container: containerName, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := newExecutor(p.config, request.URL())
	if err != nil {
		return fmt.Errorf("attach to pod %s/%s: %w", p.pod.Namespace, p.pod.Name, err)
	}
	jobs, in := io.Pipe()
	p.in = in
	first := io.MultiReader(strings.NewReader(readyByte), bytes.NewReader(p.spec.program.Program), jobs)
	lines, out := io.Pipe()
	words := &capped{left: usual().words, moved: func() {}, full: func() {}}
	go p.listen(lines)
	go func() {
		err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: first, Stdout: out, Stderr: words})
		if err == nil {
			err = errors.New("it has ended")
		}
		p.lost = fmt.Errorf("the probe on node %s does not answer: %w%s", p.spec.node.Name, err, tail(string(words.take())))
		_ = out.Close()                 // it ends listen
		_ = jobs.CloseWithError(p.lost) // it ends Ask
		close(p.ended)
	}()
	return nil
}

// listen reads the probe's lines: what is no answer is dropped, and after a line of more
// than 64 KiB (bufio's own bound) nothing is believed any more.
func (p *Probe) listen(from io.Reader) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		rest, is := bytes.CutPrefix(lines.Bytes(), []byte(wire.ProbePrefix))
		var r wire.ProbeResult
		if !is || json.Unmarshal(rest, &r) != nil {
			continue
		}
		if r.Hello != nil {
			select {
			case p.hello <- *r.Hello:
			default:
			}
			continue
		}
		r.Why = cutText(r.Why)
		p.mu.Lock()
		done := p.answer[r.ID]
		delete(p.answer, r.ID)
		p.mu.Unlock()
		if done != nil {
			done <- r
		}
	}
	_, _ = io.Copy(io.Discard, from) // the stream itself goes on
}

// probeReceiver takes a byte that says that the plugin is there, and the program, and
// runs it; what comes after that is its input. $1 is the program's length in bytes, $2
// its SHA-256, $3 the port, $4 the directory of mounts, $5 the linker's path of
// libraries, $6 after how many seconds without that byte it ends: what began it was
// killed. Programs are the host's, run by its own linker.
const probeReceiver = `set -eu
umask 077
host() { program=$1; shift; "$mounts/linker" --inhibit-cache --library-path "$libraries" "$mounts/usr/bin/$program" "$@"; }
mounts=$4 libraries=$5
first() { "$mounts/linker" --inhibit-cache --library-path "$libraries" "$mounts/usr/bin/timeout" "$6" \
  "$mounts/linker" --inhibit-cache --library-path "$libraries" "$mounts/usr/bin/head" -c 1; }
[ "$(first "$@" | host wc -c)" -eq 1 ] || exit 70
host head -c "$1" >"$mounts/probe/lifecycle-node"
echo "$2  $mounts/probe/lifecycle-node" | host sha256sum -c --status || { echo "the program arrived damaged" >&2; exit 74; }
host chmod 700 "$mounts/probe/lifecycle-node"
exec "$mounts/probe/lifecycle-node" probe "$3"
`

// probeCommand runs the receiver in the container.
func probeCommand(s podSpec) []string {
	return slices.Concat(s.withoutEnvironment(), s.onHost("sh"), []string{
		"-c", probeReceiver, "receiver", strconv.Itoa(len(s.program.Program)), s.program.SHA256, strconv.Itoa(ProbePort), s.mountDir,
		s.libraries(), strconv.Itoa(int(unattended.Seconds())),
	})
}

// ownerless is a user that owns nothing on any host.
const ownerless = int64(65534)

// probePodFor builds the pod of a probe: in the pod network, without privileges and
// without any namespace of the host's. As in podFor the image decides nothing: the
// host's userland is mounted read-only, and run by its own linker.
func probePodFor(s podSpec) *corev1.Pod {
	no, yes, user := false, true, ownerless
	pod := podFor(s)
	pod.Labels[ProbeLabel] = s.probe.id
	spec, c := &pod.Spec, &pod.Spec.Containers[0]
	spec.HostPID, spec.HostNetwork, spec.DNSPolicy = false, false, corev1.DNSClusterFirst
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "probe",
		VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "probe", MountPath: s.mountDir + "/probe"})
	c.SecurityContext = &corev1.SecurityContext{
		Privileged: &no, AllowPrivilegeEscalation: &no, RunAsUser: &user, RunAsGroup: &user, RunAsNonRoot: &yes,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	c.Command = probeCommand(s)
	if s.probe.hostPort > 0 {
		c.Ports = []corev1.ContainerPort{{ContainerPort: ProbePort, HostPort: s.probe.hostPort, Protocol: corev1.ProtocolTCP}}
	}
	return pod
}
