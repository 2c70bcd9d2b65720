// SPDX-License-Identifier: Apache-2.0

package env

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestAWrongNumberOfArgumentsSaysWhatTheCommandTakes(t *testing.T) {
	for name, tc := range map[string]struct {
		use        string
		valid      []string
		check      cobra.PositionalArgs
		args       []string
		text, hint string
	}{
		"none of a list": {"switch NAME", []string{"cilium", "flannel"}, cobra.ExactArgs(1), nil, "takes NAME, but none was given",
			"cilium, flannel"},
		"too many":          {"lint FILE", nil, cobra.ExactArgs(1), []string{"a", "b"}, "takes FILE, but 2 were given", "'lint --help'"},
		"none of several":   {"revoke ID...", nil, cobra.MinimumNArgs(1), nil, "takes ID..., but none was given", "--help"},
		"a command of none": {"init --ssh HOST", nil, cobra.NoArgs, []string{"a", "b"}, `unknown command "a"`, "--help"},
		"enough":            {"lint FILE", nil, cobra.ExactArgs(1), []string{"a"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := &cobra.Command{Use: tc.use, ValidArgs: tc.valid}
			err := UsageArgs(tc.check)(cmd, tc.args)
			if tc.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if plan.ClassOf(err) != plan.Misused || !strings.Contains(err.Error(), tc.text) || !strings.Contains(plan.HintOf(err), tc.hint) {
				t.Errorf("%v, %q", err, plan.HintOf(err))
			}
		})
	}
}

func TestThePodThatACommandRunsInIsKnown(t *testing.T) {
	if got := ownPod(filepath.Join(t.TempDir(), "namespace")); got.Name != "" {
		t.Errorf("outside of a cluster: %v", got)
	}
	file := filepath.Join(t.TempDir(), "namespace")
	if err := os.WriteFile(file, []byte("shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if got := ownPod(file); err != nil || got.Namespace != "shop" || got.Name != host {
		t.Errorf("in a pod: %v, %v", got, err)
	}
}
