// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// More names than are looked at may hide a pin that was made since the join, so that is said.
func TestADirectoryOfPinsThatIsTooLargeIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		directories, deeper int
		names               string
	}{
		"older ones alone":             {10, 10, ""},
		"as many as are looked at":     {mostPins - 1, 0, ""},
		"one more":                     {mostPins, 0, "more than 1024 names"},
		"too many in two directories":  {100, mostPins - 50, "more than 1024 names"},
		"many more, each with nothing": {mostPins + 500, 0, "more than 1024 names"},
	} {
		root := t.TempDir()
		for n := range c.directories {
			if err := os.MkdirAll(fmt.Sprintf("%s%s/mine/%d", root, BPFDir, n), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for n := range c.deeper {
			if err := os.MkdirAll(fmt.Sprintf("%s%s/mine/0/%d", root, BPFDir, n), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		of := Network{Host: part.Host{Local: host.Local{Root: root}, Facts: inventory.Facts{Joined: time.Now().Add(time.Hour)}}}
		if got := of.pinnedSince(BPFDir + "/mine"); (got == "") != (c.names == "") || !strings.Contains(got, c.names) {
			t.Errorf("%s: %q", name, got)
		}
		if err := errors.Join(os.RemoveAll(root + BPFDir)); err != nil {
			t.Fatal(err)
		}
	}
}
