// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"sync/atomic"

	"github.com/spf13/pflag"
	"golang.org/x/term"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// env is what every command is given, and the single seam that tests replace.
type env struct {
	streams genericiooptions.IOStreams
	flags   *genericclioptions.ConfigFlags
	color   string
	// config and client are built when a command asks, after its flags are
	// read.
	config func() (*rest.Config, error)
	client func() (kubernetes.Interface, error)
	// terminal says whether a stream (stdin, stderr) is one.
	terminal func(stream any) bool
	// requests counts what is sent to the API server.
	requests atomic.Int64
}

func newEnv(streams genericiooptions.IOStreams) *env {
	e := &env{streams: streams, flags: genericclioptions.NewConfigFlags(true), terminal: isTerminal}
	e.config = func() (*rest.Config, error) {
		if err := e.requireKubeconfig(); err != nil {
			return nil, err
		}
		config, err := e.flags.ToRESTConfig()
		if err != nil {
			return nil, plan.As(plan.Refused, explain(err))
		}
		// The server's own Priority and Fairness paces us; a second bucket on
		// the client side only makes a person wait (kubernetes#23531).
		config.QPS = -1
		config.UserAgent = "kubectl-lifecycle/" + version
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return counting{next, &e.requests} })
		return config, nil
	}
	e.client = func() (kubernetes.Interface, error) {
		config, err := e.config()
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
func (e *env) requireKubeconfig() error {
	raw, err := e.flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return plan.As(plan.Refused, explain(fmt.Errorf("read the kubeconfig: %w", err)))
	}
	if len(raw.Clusters) > 0 || *e.flags.APIServer != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return nil
	}
	return plan.Refuse(errors.New("there is no kubeconfig: no cluster is named anywhere"),
		"name one: --kubeconfig FILE, or export KUBECONFIG=FILE; on a control-plane host it is /etc/kubernetes/admin.conf")
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// nothingChanged marks an error of the reading part of a command: unless it has
// a class already, it is a refusal.
func nothingChanged(err error) error {
	if err == nil {
		return nil
	}
	if plan.ClassOf(err) != plan.Broken {
		return err
	}
	return plan.As(plan.Refused, explain(err))
}

// explain adds the way out to the errors that any API call can return.
func explain(err error) error {
	if err == nil || plan.HintOf(err) != "" {
		return err
	}
	var netErr *net.OpError
	var urlErr *url.Error
	switch {
	case clientcmd.IsEmptyConfig(err):
		return plan.Hint(err, "name a kubeconfig: --kubeconfig FILE, or export KUBECONFIG=FILE")
	case apierrors.IsForbidden(err):
		return plan.Hint(err, "ask for that verb on that resource; 'kubectl auth can-i --list' shows what you may do")
	case apierrors.IsUnauthorized(err):
		return plan.Hint(err, "the credentials in your kubeconfig are not accepted: renew them, or choose another --context")
	case errors.As(err, &netErr), errors.As(err, &urlErr):
		return plan.Hint(err, "is the API server reachable from here? Try: kubectl cluster-info")
	}
	return err
}

// dryRun is the value of --dry-run.
type dryRun string

// The values of --dry-run, with kubectl's meanings.
const (
	dryRunNone   dryRun = "none"
	dryRunClient dryRun = "client"
	dryRunServer dryRun = "server"
)

// addDryRun adds --dry-run; client and server say what each does.
func addDryRun(flags *pflag.FlagSet, into *string, usage string) {
	flags.StringVar(into, "dry-run", string(dryRunNone), usage)
	flags.Lookup("dry-run").NoOptDefVal = string(dryRunClient)
}

// parseDryRun checks the value of --dry-run.
func parseDryRun(value string) (dryRun, error) {
	switch d := dryRun(value); d {
	case dryRunNone, dryRunClient, dryRunServer:
		return d, nil
	}
	return "", plan.As(plan.Misused, plan.Hint(fmt.Errorf("--dry-run must be none, client or server, not %q", value),
		"--dry-run alone means client: read the API only, and change nothing"))
}

// runnerFlags are those of every command that works on a host.
type runnerFlags struct {
	image string
}

func (f *runnerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.image, "runner-image", "",
		"Image of the runner pod; it must be on the node and runs privileged (default: kube-proxy's, a static pod's or the network's)")
}

// cluster connects to the cluster for work on its hosts. A --namespace that is
// given holds the run's objects instead of kube-system.
func (e *env) cluster(f runnerFlags) (runner.Cluster, error) {
	config, err := e.config()
	if err != nil {
		return runner.Cluster{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return runner.Cluster{}, plan.As(plan.Refused, err)
	}
	return runner.Cluster{Client: client, Config: config, Image: f.image, Namespace: *e.flags.Namespace}, nil
}

// who names the person at this machine, for others who find a node held.
func who() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
