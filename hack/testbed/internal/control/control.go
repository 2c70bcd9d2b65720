// SPDX-License-Identifier: Apache-2.0

// Package control is a control plane without nodes: etcd, API server,
// controller manager and scheduler as plain processes on the loopback, and kwok
// in place of kubelets. It is for what needs real controllers and thousands of
// pods, and no container.
package control

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// readyLimit is how long a component may take to answer.
const readyLimit = time.Minute

//go:embed stages.yaml
var stages []byte

//go:embed audit.yaml
var auditPolicy []byte

// Plane is a control plane in a directory.
type Plane struct {
	Dir      string
	Version  string
	Builder  *build.Builder
	Progress *sys.Progress
}

// state is what is remembered between two commands.
type state struct {
	Port      int       `json:"port"`
	Token     string    `json:"token"`
	Processes []process `json:"processes"`
}

// Kubeconfig is the file with which its administrator reaches it.
func (p *Plane) Kubeconfig() string { return p.path("kubeconfig") }

// AuditLog is where the API server writes one line for each request.
func (p *Plane) AuditLog() string { return p.path("audit.log") }

func (p *Plane) path(name string) string { return filepath.Join(p.Dir, name) }

// Up starts what does not run.
func (p *Plane) Up(ctx context.Context) error {
	programs, err := p.programs(ctx)
	if err != nil {
		return err
	}
	s, err := p.load()
	if err != nil {
		return err
	}
	if len(s.Processes) == 0 {
		if s, err = p.prepare(programs); err != nil {
			return err
		}
	}
	for i := range s.Processes {
		one := &s.Processes[i]
		if one.runs() {
			continue
		}
		if err := one.start(p.path(one.Name + ".log")); err != nil {
			return err
		}
		if err := p.save(s); err != nil {
			return err
		}
		if err := p.await(ctx, s, one); err != nil {
			return err
		}
	}
	p.Progress.Say("ready; kubeconfig: %s", p.Kubeconfig())
	return nil
}

// Down ends the processes and removes the directory.
func (p *Plane) Down() error {
	s, err := p.load()
	if err != nil {
		return err
	}
	for i := len(s.Processes) - 1; i >= 0; i-- {
		if err := s.Processes[i].end(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(p.Dir); err != nil {
		return fmt.Errorf("remove the control plane's directory: %w", err)
	}
	return nil
}

// Restart ends one component, waits, and starts it again.
func (p *Plane) Restart(ctx context.Context, name string, pause time.Duration) error {
	s, err := p.load()
	if err != nil {
		return err
	}
	for i := range s.Processes {
		one := &s.Processes[i]
		if one.Name != name {
			continue
		}
		if err := one.end(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		if err := one.start(p.path(one.Name + ".log")); err != nil {
			return err
		}
		return errors.Join(p.save(s), p.await(ctx, s, one))
	}
	return fmt.Errorf("restart %s: there is no such component", name)
}

// Running reports whether every component runs.
func (p *Plane) Running() bool {
	s, err := p.load()
	for i := range s.Processes {
		if !s.Processes[i].runs() {
			return false
		}
	}
	return err == nil && len(s.Processes) > 0
}

// Build builds what a control plane is made of. It is for one caller at a time: two
// would build the same.
func (p *Plane) Build(ctx context.Context) error {
	_, err := p.programs(ctx)
	return err
}

// programs builds what is not cached and returns the paths by name.
func (p *Plane) programs(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for _, product := range []build.Product{build.Servers(p.Version), build.Etcd(), build.Kwok()} {
		dir, err := p.Builder.Build(ctx, product)
		if err != nil {
			return nil, err
		}
		for name := range product.Programs {
			out[name] = filepath.Join(dir, name)
		}
	}
	return out, nil
}

// prepare writes the files and chooses the ports of a new control plane.
func (p *Plane) prepare(programs map[string]string) (state, error) {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return state{}, fmt.Errorf("make the control plane's directory: %w", err)
	}
	ports, err := freePorts(6)
	if err != nil {
		return state{}, err
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	s := state{Port: ports[2], Token: hex.EncodeToString(secret)}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return s, fmt.Errorf("make the key of service accounts: %w", err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for name, content := range map[string][]byte{
		"sa.key": pemKey, "stages.yaml": stages, "audit-policy.yaml": auditPolicy,
		"tokens.csv": []byte(s.Token + `,admin,admin,"system:masters"` + "\n"),
		"kubeconfig": []byte(p.kubeconfig(s)),
	} {
		if err := os.WriteFile(p.path(name), content, 0o600); err != nil {
			return s, fmt.Errorf("write %s: %w", name, err)
		}
	}
	s.Processes = p.processes(programs, ports)
	return s, p.save(s)
}

func (p *Plane) kubeconfig(s state) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: control, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %q}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: control, context: {cluster: control, user: admin}}]
current-context: control
`, s.Port, p.path("certs/apiserver.crt"), s.Token)
}

// await waits until a component answers.
func (p *Plane) await(ctx context.Context, s state, one *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	err := sys.Poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		if !one.runs() {
			return fmt.Errorf("%s has ended: %s", one.Name, sys.TailFile(p.path(one.Name+".log"), 10))
		}
		return one.answers(ctx, s.Token)
	})
	if err != nil {
		return fmt.Errorf("wait until %s answers: %w", one.Name, err)
	}
	return nil
}

func (p *Plane) load() (state, error) {
	var s state
	raw, err := os.ReadFile(p.path("state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the control plane's state: %w", err)
	}
	return s, json.Unmarshal(raw, &s)
}

func (p *Plane) save(s state) error {
	raw, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	temp := p.path("state.json.new")
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return fmt.Errorf("write the control plane's state: %w", err)
	}
	return os.Rename(temp, p.path("state.json"))
}

// freePorts finds ports of the loopback that are free just now.
func freePorts(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is done at once
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		out = append(out, number)
	}
	return out, nil
}
