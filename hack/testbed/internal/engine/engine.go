// SPDX-License-Identifier: Apache-2.0

// Package engine sees to it that there is a Docker engine that can run
// privileged containers: the user's own where one runs, else a dockerd that it
// starts itself.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

const (
	userConfigPath = "/etc/docker/daemon.json"
	pidPath        = "/var/run/docker.pid"
	startLimit     = 60 * time.Second
)

// Tools are the commands of a local engine and their Debian packages.
func Tools() []sys.Tool {
	tools := []sys.Tool{
		{Command: "docker", Packages: []string{"docker.io"}},
		{Command: "iptables", Packages: []string{"iptables"}},
	}
	// dockerd starts no container on a kernel with AppArmor without its parser,
	// which the package only recommends.
	if enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled"); err == nil && strings.HasPrefix(string(enabled), "Y") {
		tools = append(tools, sys.Tool{Command: "apparmor_parser", Packages: []string{"apparmor"}})
	}
	return tools
}

// Engine is the Docker engine of this machine. Dir keeps its log and the copy
// of its configuration; Wrapper builds the OCI runtime wrapper when it is
// needed and returns its path.
type Engine struct {
	Dir      string
	Progress *sys.Progress
	Wrapper  func(context.Context) (string, error)
}

// Ensure returns when an engine answers that can run privileged containers.
func (e *Engine) Ensure(ctx context.Context) error {
	if Answers(ctx) == nil {
		return e.checkRunning(ctx)
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return fmt.Errorf("no docker engine answers at DOCKER_HOST=%s: start it, or unset DOCKER_HOST so that a dockerd is started here", host)
	}
	tools := []sys.Tool{{Command: "dockerd", Packages: []string{"docker.io"}}}
	if err := sys.Install(ctx, e.Progress, tools); err != nil {
		return err
	}
	// The package's own post-install script may have started one.
	if Answers(ctx) == nil {
		return e.checkRunning(ctx)
	}
	return e.start(ctx)
}

// Answers is nil when a Docker engine answers.
func Answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, err := sys.Command("docker", "version", "--format", "{{.Server.Version}}").Output(ctx)
	return err
}

// checkRunning refuses a running dockerd in which privileged containers cannot
// start, which would otherwise show much later and in a riddle.
func (e *Engine) checkRunning(ctx context.Context) error {
	pid, err := os.ReadFile(pidPath)
	if err != nil {
		// A remote or socket-activated engine: nothing to learn here.
		return nil
	}
	number := strings.TrimSpace(string(pid))
	lacks, err := lacksSysResource(number)
	if err != nil || !lacks {
		return nil
	}
	name, err := sys.Command("docker", "info", "--format", "{{.DefaultRuntime}}").Output(ctx)
	if err != nil {
		return fmt.Errorf("ask dockerd for its default runtime: %w", err)
	}
	if name == "runc" {
		return fmt.Errorf("the running dockerd (pid %s) is without CAP_SYS_RESOURCE, so no privileged container can start: stop it (kill %s) "+
			"and run again, a dockerd with a fitting OCI runtime is then started", number, number)
	}
	return nil
}

// start runs dockerd in a session of its own, so that it outlives us.
func (e *Engine) start(ctx context.Context) error {
	args, err := e.daemonArgs(ctx)
	if err != nil {
		return err
	}
	logPath := filepath.Join(e.Dir, "dockerd.log")
	if err := os.MkdirAll(e.Dir, 0o755); err != nil {
		return fmt.Errorf("create directory of dockerd log: %w", err)
	}
	title := "starting dockerd (none runs; its log is " + logPath + ")"
	return e.Progress.Step(ctx, title, func(ctx context.Context) error {
		exited, err := spawn(logPath, args)
		if err != nil {
			return err
		}
		return waitForEngine(ctx, exited, logPath)
	})
}

// daemonArgs decides about the OCI runtime wrapper.
func (e *Engine) daemonArgs(ctx context.Context) ([]string, error) {
	lacks, err := lacksSysResource("self")
	if err != nil {
		return nil, err
	}
	wrapper := ""
	if lacks {
		e.Progress.Say("this shell is without CAP_SYS_RESOURCE: dockerd gets an OCI runtime that does not ask for it")
		if wrapper, err = e.Wrapper(ctx); err != nil {
			return nil, err
		}
	}
	userConfig, err := os.ReadFile(userConfigPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read docker configuration: %w", err)
	}
	merged := filepath.Join(e.Dir, "daemon.json")
	plan, err := planDaemon(userConfig, wrapper, merged)
	if err != nil {
		return nil, fmt.Errorf("plan start of dockerd with %s: %w", userConfigPath, err)
	}
	if plan.Config == nil {
		return plan.Flags, nil
	}
	e.Progress.Say("%s names runtimes of its own: dockerd is started with a merged copy, %s", userConfigPath, merged)
	if err := os.MkdirAll(e.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create directory of dockerd configuration: %w", err)
	}
	if err := os.WriteFile(merged, plan.Config, 0o600); err != nil {
		return nil, fmt.Errorf("write dockerd configuration: %w", err)
	}
	return plan.Flags, nil
}

// spawn starts dockerd and returns a channel that is closed when it ends.
func spawn(logPath string, args []string) (<-chan struct{}, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open dockerd log: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("dockerd", args...) //nolint:noctx // it is to outlive us
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start dockerd: %w", err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	return exited, nil
}

func waitForEngine(ctx context.Context, exited <-chan struct{}, logPath string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		if Answers(ctx) == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("start dockerd: it ended at once; the end of its log:%s", sys.TailFile(logPath, 15))
		case <-ctx.Done():
			return fmt.Errorf("wait for dockerd: it does not answer after %s; the end of its log:%s", startLimit, sys.TailFile(logPath, 15))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// Pid returns the process id of the local dockerd, or 0 where none is known.
func Pid() int {
	raw, err := os.ReadFile(pidPath)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0
	}
	return pid
}
