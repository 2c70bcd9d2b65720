// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
)

// With nothing left in the API hosts are all that changes.
func TestHostsAreNotCleanedUnasked(t *testing.T) {
	hosts := cleanFlags{cleanNodes: true}
	for name, tc := range map[string]struct {
		flags  uninstallFlags
		answer string // none: stdin is no terminal
		says   string // empty: it goes on
	}{
		"all hosts, and no terminal":         {uninstallFlags{cleanFlags: hosts}, "", "cannot ask for confirmation"},
		"all hosts, and another answer":      {uninstallFlags{cleanFlags: hosts}, "yes\n", "not confirmed"},
		"all hosts, and no answer":           {uninstallFlags{cleanFlags: hosts}, "\n", "not confirmed"},
		"all hosts, and the network's name":  {uninstallFlags{cleanFlags: hosts}, "antrea\n", ""},
		"all hosts, said beforehand":         {uninstallFlags{cleanFlags: hosts, yes: true}, "", ""},
		"a dry run of this machine":          {uninstallFlags{cleanFlags: hosts, mode: env.DryRunClient}, "", ""},
		"a dry run that looks at hosts":      {uninstallFlags{cleanFlags: hosts, mode: env.DryRunServer}, "", ""},
		"no host, and so there is no change": {uninstallFlags{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			streams, in, _, errOut := genericiooptions.NewTestIOStreams()
			e := env.New(streams, "dev")
			e.Terminal = func(any) bool { return tc.answer != "" }
			in.WriteString(tc.answer)
			if tc.flags.mode == "" {
				tc.flags.mode = env.DryRunNone
			}
			err := commands{e}.runUninstall(t.Context(), nil, nil, uninstall.Uninstallation{CNI: "antrea"}, tc.flags)
			if (err != nil) != (tc.says != "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v", err)
			}
			if asked := strings.Contains(errOut.String(), "off all hosts"); asked != (tc.answer != "") {
				t.Errorf("asked: %v\n%s", asked, errOut)
			}
		})
	}
}
