// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestWhatASearchLeavesOutIsSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		said bool
	}{
		"nothing":                         {nil, false},
		"it has gone since":               {&fs.PathError{Op: "open", Path: "/x", Err: unix.ENOENT}, false},
		"it is no directory any more":     {unix.ENOTDIR, false},
		"it may not be read":              {&fs.PathError{Op: "open", Path: "/x", Err: unix.EACCES}, true},
		"not even root may (root squash)": {unix.EPERM, true},
		"the disk is broken":              {unix.EIO, true},
		"the server has forgotten it":     {unix.ESTALE, true},
		"too many files are open":         {unix.EMFILE, true},
	} {
		f, s := search{}, part.Findings{}
		f.pass(inventory.KindDir, "/etc/x", tc.err)
		f.tellPassed(&s)
		said := len(s.Items) == 1 && s.Items[0].Name == "/etc/x" && strings.HasPrefix(s.Items[0].Refers, "not looked at: ") &&
			inventory.Verify(inventory.Inventory{}, inventory.Inventory{Items: s.Items}).State == inventory.CleanBut
		if said != tc.said || !said && len(s.Items) > 0 {
			t.Errorf("%s: got %+v", name, s.Items)
		}
	}
}

func TestHowMuchOfWhatASearchLeavesOutIsNamed(t *testing.T) {
	for n, want := range map[int]string{mostUnread: fmt.Sprint("/etc/", mostUnread-1), mostUnread + 7: "more files and directories"} {
		f, s := search{}, part.Findings{}
		for i := range n {
			f.pass(inventory.KindDir, fmt.Sprint("/etc/", i), unix.EIO)
		}
		f.tellPassed(&s)
		if inventory.Things(s.Items) != n {
			t.Errorf("%d are %d things", n, inventory.Things(s.Items))
		}
		if len(s.Items) != min(n, mostUnread+1) || s.Items[len(s.Items)-1].Name != want {
			t.Errorf("of %d there are %d, the last is %+v", n, len(s.Items), s.Items[len(s.Items)-1])
		}
	}
	on := Traces{Host: part.Host{Local: host.Local{Root: t.TempDir()}}}
	for n, want := range map[int]int{1: 1, mostUnread: mostUnread, mostUnread + 5: mostUnread + 1} {
		var s part.Findings
		var roots []searchRoot
		for i := range n {
			roots = append(roots, searchRoot{dir: fmt.Sprint("/", i)}, searchRoot{dir: fmt.Sprint("/none/", i)})
			if err := os.MkdirAll(on.Path(fmt.Sprint("/", i)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if on.unsearchedOf(&s, roots); len(s.Items) != want || !strings.Contains(s.Items[0].Refers, "in part") {
			t.Errorf("of %d directories %d are named: %+v", n, len(s.Items), s.Items)
		}
	}
}

func TestLoadBalancersThatAreNotAllKnownAreSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		facts inventory.Facts
		said  bool
	}{
		"all are known":               {inventory.Facts{Announced: []string{"192.0.2.1"}}, false},
		"there are none":              {inventory.Facts{}, false},
		"they could not be read":      {inventory.Facts{AnnouncedUnread: true}, true},
		"one less than can travel":    {inventory.Facts{Announced: make([]string, inventory.MostAnnounced-1)}, false},
		"as many as travel to a host": {inventory.Facts{Announced: make([]string, inventory.MostAnnounced)}, true},
	} {
		if got := unannounced(tc.facts); (got != "") != tc.said {
			t.Errorf("%s: %q", name, got)
		}
	}
}
