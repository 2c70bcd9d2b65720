// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// withContainerd is a host on which containerd comes and goes. clear names what keeps it
// there; it is empty if nothing does.
func withContainerd(t *testing.T, clear *string) (m *machine, there, held *bool) {
	t.Helper()
	m, there, held = newMachine(t, nil), new(bool), new(bool)
	m.Local.Proc = m.root + "/proc/self"
	m.write("/proc/self/mountinfo", "")
	m.Local.Exec = func(_ context.Context, cmd host.Command) (string, error) {
		line := cmd.String()
		m.ran = append(m.ran, line)
		has := func(words ...string) bool {
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
		}
		switch {
		case has("dpkg-query", "Status-Status") && *there:
			return "installed containerd 1.7.1\n", nil
		case has("showhold") && (*held || *clear == "a hold of a person's") && *there:
			return "containerd\n", nil
		case has("unhold"):
			*held = false
		case has("apt-mark", " hold "):
			*held = true
		case has("--simulate", "remove") && *clear == "a program that needs it":
			return "Remv containerd [1.7.1]\nRemv docker.io [20]\n", nil
		case has("--no-download", " install "):
			*there = true
		case has(" remove ") && !has("--simulate"):
			*there, *held = false, false // apt forgets the hold of what it removes
		}
		return "", nil
	}
	return m, there, held
}

// TestWhatCannotBeRemovedYetStaysInTheLedger: a person clears what is in the way, and runs the
// command again. Until then its hold and its repository stay, too.
func TestWhatCannotBeRemovedYetStaysInTheLedger(t *testing.T) {
	list := packages.SourceOf(packages.Apt, packages.Order{}).ListFile
	changes := []prep.Change{{Kind: prep.WriteFile, Path: list, Content: "deb x\n", Absent: true},
		{Kind: prep.InstallPackages, Name: "apt", Content: "containerd=1.7.1"}}
	for _, inTheWay := range []string{"a program that needs it", "a mount where it keeps data", "a hold of a person's"} {
		t.Run(inTheWay, func(t *testing.T) {
			clear := ""
			m, there, held := withContainerd(t, &clear)
			all := slices.Clone(changes)
			if inTheWay != "a hold of a person's" {
				all = append(all, prep.Change{Kind: prep.HoldPackages, Name: "apt", Content: "containerd"})
			}
			if err := m.prepare(all...); err != nil {
				t.Fatal(err)
			}
			wasHeld := *held
			if clear = inTheWay; clear == "a mount where it keeps data" {
				m.write("/proc/self/mountinfo", "36 35 98:0 / "+m.root+"/var/lib/containerd rw - ext4 /dev/sdb rw\n")
			}
			done, err := m.Undo(t.Context(), func(string, ...any) {})
			if err == nil || len(done) > 0 {
				t.Errorf("%v, %v", done, err)
			}
			left, err := m.Pending()
			if err != nil || len(left) != len(all) || !*there || *held != wasHeld || m.read(list) != "deb x\n" {
				t.Errorf("left %v, %v; there %v, held %v, list %q", left, err, *there, *held, m.read(list))
			}
			clear = ""
			m.write("/proc/self/mountinfo", "")
			m.takeBack()
			if left, err := m.Pending(); err != nil || len(left) > 0 || *there || *held || m.read(list) != "<none>" {
				t.Errorf("cleared: left %v, %v; there %v, held %v, list %q", left, err, *there, *held, m.read(list))
			}
		})
	}
}
