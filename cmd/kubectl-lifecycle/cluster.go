// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/user"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// runnerFlags are those of every command that works on a host.
type runnerFlags struct {
	image string
}

func (f *runnerFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.image, "runner-image", "", "Image of the runner pod; it must be on the node and runs privileged (default: kube-proxy's, a static pod's or the network's)")
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
