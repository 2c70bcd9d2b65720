// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Asked are the plugin's name and the arguments of a call: where kubectl has called the
// program by its completer's name, they are a request for completion.
func Asked(name string, args []string) (env.Tool, []string) {
	tool, completes := env.ToolOf(name)
	if completes {
		args = append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	return tool, args
}

// link is the completer's, for a plugin of some name.
type link struct{ plugin, completer string }

func linkOf(tool env.Tool) link { return link{tool.Plugin(), tool.Completer()} }

// Command is "completion".
func Command(e *env.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Let kubectl complete the commands of this plugin",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args:  env.UsageArgs(cobra.NoArgs),
	}
	cmd.AddCommand(newInstall(e), newUninstall(e))
	return cmd
}

func newInstall(e *env.Env) *cobra.Command {
	var dir string
	name := e.Tool.Completer()
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put " + name + " beside the plugin",
		Long: `Put ` + name + ` beside the plugin: a link to it, by which kubectl asks
what can be completed. Shells complete the plugin as soon as they complete kubectl
(kubectl completion --help). Needs kubectl 1.26.`,
		Example: "  kubectl lifecycle completion install\n  kubectl lifecycle completion install --dir ~/.local/bin",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			path, made, err := linkOf(e.Tool).install(dir)
			if err != nil {
				return err
			}
			s := e.Sheet()
			_ = s.Line("%s %s", path, text.Choose(made, "created", "unchanged"))
			for _, shell := range [][2]string{{"bash", "source <(kubectl completion bash)"}, {"zsh", "source <(kubectl completion zsh)"},
				{"fish", "kubectl completion fish | source"}, {"PowerShell", "kubectl completion powershell | Out-String | Invoke-Expression"}} {
				_ = s.Line("%s, unless it completes kubectl already:", shell[0])
				_ = s.Command("  ", shell[1])
			}
			return s.Err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "Directory of the PATH to put it in (default: the plugin's)")
	return cmd
}

func newUninstall(e *env.Env) *cobra.Command {
	var dir string
	name := e.Tool.Completer()
	cmd := &cobra.Command{
		Use:     "uninstall",
		Short:   "Delete " + name + " again",
		Example: "  kubectl lifecycle completion uninstall",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			path, gone, err := linkOf(e.Tool).uninstall(dir)
			if err != nil {
				return err
			}
			return e.Sheet().Line("%s %s", path, text.Choose(gone, "deleted", "not found"))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "Directory of the PATH it is in (default: the plugin's)")
	return cmd
}

// home is the directory for the link: the one that was asked for, or where the PATH has
// the plugin.
func (l link) home(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	path, err := exec.LookPath(l.plugin)
	if err != nil {
		return "", plan.Refuse(fmt.Errorf("%s is not found on the PATH", l.plugin), "put it there, or name the directory: --dir DIRECTORY")
	}
	return filepath.Abs(filepath.Dir(path))
}

// what is the link's target, or on Windows, where links take rights, the script's text.
func (l link) what(dir string) (name, content string, err error) {
	if runtime.GOOS == "windows" {
		return l.completer + ".cmd", "@" + l.plugin + " " + cobra.ShellCompRequestCmd + " %*\r\n", nil
	}
	if _, err := os.Stat(filepath.Join(dir, l.plugin)); err == nil {
		return l.completer, l.plugin, nil // it stays right when the plugin is replaced
	}
	self, err := os.Executable()
	return l.completer, self, err
}

// placeIn is where the link is, or is to be, what it holds, and whether it is there. A file
// of that name that is something else is refused.
func (l link) placeIn(dir string) (path, content string, there bool, err error) {
	if dir, err = l.home(dir); err != nil {
		return "", "", false, err
	}
	name, content, err := l.what(dir)
	if err != nil {
		return "", "", false, err
	}
	path = filepath.Join(dir, name)
	there, err = is(path, content)
	return path, content, there, err
}

// install makes the link, and reports whether it was not there yet.
func (l link) install(dir string) (path string, made bool, err error) {
	path, content, there, err := l.placeIn(dir)
	if err != nil || there {
		return path, false, err
	}
	if runtime.GOOS == "windows" {
		err = os.WriteFile(path, []byte(content), 0o755)
	} else {
		err = os.Symlink(content, path)
	}
	if err != nil {
		return "", false, plan.Refuse(err, "name a directory of the PATH that you may write: --dir DIRECTORY")
	}
	return path, true, nil
}

// uninstall deletes what install has made, and reports whether it was there.
func (l link) uninstall(dir string) (path string, gone bool, err error) {
	path, _, there, err := l.placeIn(dir)
	if err != nil || !there {
		return path, false, err
	}
	return path, true, os.Remove(path)
}

// is reports whether a path is what install makes there; anything else that is there is
// an error.
func is(path, content string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var found string
	if info.Mode()&os.ModeSymlink != 0 {
		found, err = os.Readlink(path)
	} else if info.Mode().IsRegular() && info.Size() == int64(len(content)) {
		var raw []byte
		raw, err = os.ReadFile(path)
		found = string(raw)
	}
	if err != nil || found == content {
		return err == nil, err
	}
	return false, plan.Refuse(fmt.Errorf("%s already exists and is something else", path), "look at it; delete it if nothing needs it")
}
