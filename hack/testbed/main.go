// SPDX-License-Identifier: Apache-2.0

// Command testbed brings up a real Kubernetes cluster to test against: three
// kind nodes without a network plugin, and a blank host beside them. Where the
// stock node image cannot be had it builds one, from Go modules and Debian
// packages alone. Run it from its own directory: go run . up
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/bed"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/build"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

const usage = `usage: go run . COMMAND        (from hack/testbed)

  build               build what is missing, and bring nothing up
  up                  bring up what is missing: engine, images, cluster, blank host
  down [--all]        remove cluster, blank hosts and kubeconfig; --all says what is left
  status              what there is; exit 3 when something is missing
  env [-o json]       what a shell or a test has to know (stdout only)
  blank [--rm] NAME   make, or remove, one more blank host
  control up|down|status|env|restart
                      a control plane of plain processes, with kwok for kubelets
  pin VERSION         write modules/kubernetes/VERSION, the pins of another version

  TESTBED_NAME        name of the bed, several can live side by side  (lifecycle)
  TESTBED_CACHE       where builds are kept       (~/.cache/kubectl-lifecycle)
  KUBERNETES_VERSION  version of a new cluster                          (` + build.DefaultKubernetes + `)
  KIND_NODE_IMAGE     use this node image instead of pulling or building one
`

// errUsage is for wrong arguments: exit code 2, with the usage.
var errUsage = errors.New("wrong arguments")

// errIncomplete is a status that found something missing: exit code 3.
var errIncomplete = errors.New("the test bed is not complete: go run . up")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "testbed:", err)
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, "\n"+usage)
		os.Exit(2)
	case errors.Is(err, errIncomplete):
		os.Exit(3)
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: a command is wanted", errUsage)
	}
	source, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find working directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(source, "modules", "kind", "go.mod")); err != nil {
		return fmt.Errorf("find the pinned modules: %s is not hack/testbed: change into it first", source)
	}
	config, err := bed.FromEnv(os.Getenv, source)
	if err != nil {
		return err
	}
	b := bed.New(config, sys.NewProgress(os.Stderr))
	return dispatch(ctx, b, args[0], args[1:])
}

func dispatch(ctx context.Context, b *bed.Bed, command string, args []string) error {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	all, remove, output := new(bool), new(bool), new(string)
	operands := 0
	switch command {
	case "down":
		all = flags.Bool("all", false, "")
	case "env":
		output = flags.String("o", "sh", "")
	case "blank":
		remove = flags.Bool("rm", false, "")
		operands = 1
	case "pin", "control":
		operands = 1
	case "build", "up", "status":
	case "help", "-h", "--help":
		fmt.Fprint(os.Stdout, usage)
		return nil
	default:
		return fmt.Errorf("%w: unknown command %q", errUsage, command)
	}
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w: %s: %w", errUsage, command, err)
	}
	if flags.NArg() != operands {
		return fmt.Errorf("%w: %s takes %d operand(s), %d given", errUsage, command, operands, flags.NArg())
	}
	return do(ctx, b, request{command: command, operand: flags.Arg(0), all: *all, remove: *remove, output: *output})
}

// request is a command line that has been understood.
type request struct {
	command, operand string
	all, remove      bool
	output           string
}

func do(ctx context.Context, b *bed.Bed, r request) error {
	switch r.command {
	case "build":
		return b.Build(ctx)
	case "up":
		return b.Up(ctx)
	case "down":
		return down(ctx, b, r.all)
	case "env":
		return bed.WriteEnv(os.Stdout, b.Env(), r.output)
	case "blank":
		return blank(ctx, b, r.operand, r.remove)
	case "pin":
		return pin(ctx, b.Source, r.operand)
	case "control":
		return plane(ctx, b, r.operand)
	}
	return status(ctx, b)
}

func down(ctx context.Context, b *bed.Bed, all bool) error {
	if err := b.Down(ctx); err != nil {
		return err
	}
	if all {
		b.Leftovers(ctx)
	}
	return nil
}

func blank(ctx context.Context, b *bed.Bed, name string, remove bool) error {
	if remove {
		return b.RemoveBlank(ctx, name)
	}
	return b.AddBlank(ctx, name)
}

func pin(ctx context.Context, source, version string) error {
	if err := build.CheckVersion(version); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return build.Pin(ctx, version, filepath.Join(source, "modules", "kubernetes", version))
}

func status(ctx context.Context, b *bed.Bed) error {
	complete, err := b.Status(ctx, os.Stdout)
	if err == nil && !complete {
		err = errIncomplete
	}
	return err
}
