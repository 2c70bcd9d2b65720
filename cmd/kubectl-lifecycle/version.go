// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
)

// version is set by the linker (-X main.version=…).
var version = "dev"

// versionInfo is what "version -o json" prints.
type versionInfo struct {
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func newVersionCommand(e *env.Env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this plugin",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			info := versionInfo{Version: version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			return e.Print(output, view.Of("Version", info), func(s *view.Sheet) error { return s.Line("kubectl lifecycle %s", info.Version) })
		},
	}
	env.AddOutput(cmd.Flags(), &output, "")
	return cmd
}
