// SPDX-License-Identifier: Apache-2.0

package env

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"sync/atomic"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// Env is what every command is given, and the single seam that tests replace.
type Env struct {
	streams genericiooptions.IOStreams
	// Tool is the plugin's name.
	Tool Tool
	// Flags are those that every command has of kubectl's.
	Flags *genericclioptions.ConfigFlags
	// Color is auto, always or never.
	Color string
	// version is the program's own.
	version string
	// Config and Client are built when a command asks, after its flags are
	// read.
	Config func() (*rest.Config, error)
	Client func() (kubernetes.Interface, error)
	// Terminal says whether a stream (stdin, stderr) is one.
	Terminal func(stream any) bool
	// requests counts what is sent to the API server.
	requests atomic.Int64
}

// New is the environment of a program of some version on some streams.
func New(streams genericiooptions.IOStreams, version string) *Env {
	e := &Env{streams: streams, Tool: Lifecycle, Flags: genericclioptions.NewConfigFlags(true), version: version, Terminal: isTerminal}
	e.Config = func() (*rest.Config, error) {
		if err := e.requireKubeconfig(); err != nil {
			return nil, err
		}
		config, err := e.Flags.ToRESTConfig()
		if err != nil {
			return nil, plan.As(plan.Refused, Explain(err))
		}
		// The server's own Priority and Fairness paces us; a second bucket on
		// the client side only makes a person wait (kubernetes#23531).
		config.QPS = -1
		config.UserAgent = e.UserAgent()
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{next, &e.requests} })
		return config, nil
	}
	e.Client = func() (kubernetes.Interface, error) {
		config, err := e.Config()
		if err != nil {
			return nil, err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return nil, plan.As(plan.Refused, fmt.Errorf("make a client: %w", err))
		}
		return client, nil
	}
	return e
}

// Stdin is what a person, or a pipe, gives the program.
func (e *Env) Stdin() io.Reader { return e.streams.In }

// UserAgent is how the program names itself to an API server.
func (e *Env) UserAgent() string { return "kubectl-lifecycle/" + e.version }

// Requests counts what was sent to the API server so far.
func (e *Env) Requests() int64 { return e.requests.Load() }

// counting counts requests on their way.
type counting struct {
	next http.RoundTripper
	sent *atomic.Int64
}

// RoundTrip counts one request and sends it.
func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	return c.next.RoundTrip(request)
}

// requireKubeconfig refuses to go on where nothing says which cluster is meant:
// client-go would try localhost:8080.
func (e *Env) requireKubeconfig() error {
	raw, err := e.Flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return plan.As(plan.Refused, Explain(fmt.Errorf("read the kubeconfig: %w", err)))
	}
	if len(raw.Clusters) > 0 || *e.Flags.APIServer != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return nil
	}
	return plan.Refuse(errors.New("there is no kubeconfig: no cluster is named anywhere"),
		"name one: --kubeconfig FILE, or export KUBECONFIG=FILE; on a control-plane host it is /etc/kubernetes/admin.conf")
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Cluster connects to the cluster for work on its hosts. A --namespace that is
// given holds the run's objects instead of kube-system.
func (e *Env) Cluster(f RunnerFlags) (runner.Cluster, error) {
	config, err := e.Config()
	if err != nil {
		return runner.Cluster{}, err
	}
	client, err := e.Client()
	if err != nil {
		return runner.Cluster{}, err
	}
	return runner.Cluster{Client: client, Config: config, Image: f.image, Namespace: *e.Flags.Namespace}, nil
}

// Who names the person at this machine, for others who find a node held.
func Who() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
