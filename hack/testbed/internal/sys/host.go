// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Tool is a command that the test bed calls, and the Debian packages that
// bring it.
type Tool struct {
	Command  string
	Packages []string
}

// Facts is what decides whether the machine can carry the test bed at all.
type Facts struct {
	OS   string
	UID  int
	Arch string
}

// Here gathers the facts of this machine.
func Here() Facts {
	return Facts{OS: runtime.GOOS, UID: os.Geteuid(), Arch: runtime.GOARCH}
}

// Check refuses a machine that cannot work, each time with the way out.
func (f Facts) Check() error {
	switch {
	case f.OS != "linux":
		return fmt.Errorf("the test bed needs Linux, this is %s: run it in a Linux virtual machine, or on CI", f.OS)
	case f.Arch != "amd64" && f.Arch != "arm64":
		return fmt.Errorf("the test bed is built for amd64 and arm64, this is %s", f.Arch)
	case f.UID != 0:
		return errors.New("the test bed needs root (it starts dockerd and builds root file systems): run it again with sudo")
	}
	return nil
}

// Missing returns the packages of the tools that are not in PATH, sorted.
func Missing(tools []Tool, lookPath func(string) (string, error)) []string {
	var packages []string
	for _, tool := range tools {
		if _, err := lookPath(tool.Command); err != nil {
			packages = append(packages, tool.Packages...)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

// Install brings the tools that are missing, with apt-get where there is one.
func Install(ctx context.Context, p *Progress, tools []Tool) error {
	packages := Missing(tools, exec.LookPath)
	if len(packages) == 0 {
		return nil
	}
	list := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("missing on this machine: %s, and there is no apt-get to install them: install them with your package manager and "+
			"run again", list)
	}
	return p.Step(ctx, "installing "+list, func(ctx context.Context) error {
		env := []string{"DEBIAN_FRONTEND=noninteractive"}
		update := Cmd{Name: "apt-get", Args: []string{"update", "-q"}, Env: env}
		// A foreign package source that is down is no reason to stop: what
		// counts is whether the installation finds its packages.
		updateErr := update.Run(ctx)
		install := Cmd{Name: "apt-get", Env: env,
			Args: append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)}
		if err := install.Run(ctx); err != nil {
			return fmt.Errorf("install packages %s: %w", list, errors.Join(err, updateErr))
		}
		return nil
	})
}
