// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// TestAUnitIsRestartedAfterWhatItReadsIsRestored: restarted before, it would go on with
// what was to be taken back.
func TestAUnitIsRestartedAfterWhatItReadsIsRestored(t *testing.T) {
	m := newMachine(t, map[string]string{"/etc/containerd/config.toml": "old\n"})
	if err := m.prepare(
		prep.Change{Kind: prep.WriteFile, Path: "/etc/containerd/config.toml", Before: "old\n", Content: "new\n"},
		prep.Change{Kind: prep.RestartUnit, Name: "containerd.service"},
	); err != nil {
		t.Fatal(err)
	}
	var read []string
	m.ran, m.on = nil, func(line string) {
		if line == "systemctl restart containerd.service" {
			read = append(read, m.read("/etc/containerd/config.toml"))
		}
	}
	m.takeBack()
	if !slices.Equal(read, []string{"old\n"}) {
		t.Errorf("at its restart containerd read %q", read)
	}
}

// TestWhatCannotBeTakenBackDoesNotKeepTheRest: a program that is no longer installed
// cannot be restarted, a disk that is gone is no swap again.
func TestWhatCannotBeTakenBackDoesNotKeepTheRest(t *testing.T) {
	m := newMachine(t, hostFiles())
	if err := m.prepare(
		prep.Change{Kind: prep.SetSysctl, Name: "net.ipv4.ip_forward", Content: "1"},
		prep.Change{Kind: prep.SwapOff, Name: "/dev/sda2"},
		prep.Change{Kind: prep.RestartUnit, Name: "containerd.service"},
	); err != nil {
		t.Fatal(err)
	}
	m.write("/proc/swaps", "Filename\n")
	m.fails["swapon -- /dev/sda2"] = "swapon: cannot open /dev/sda2: No such file or directory"
	m.fails["systemctl restart containerd.service"] = "Unit containerd.service not found."
	done, err := m.Undo(t.Context(), func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "/dev/sda2") || !strings.Contains(err.Error(), "not found") || plan.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	if len(done) != 1 || m.read("/proc/sys/net/ipv4/ip_forward") != "0" {
		t.Errorf("%v, ip_forward %q", done, m.read("/proc/sys/net/ipv4/ip_forward"))
	}
	if left, err := m.Pending(); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
	clear(m.fails)
	m.takeBack()
	if _, err := os.Lstat(filepath.Join(m.root, DefaultDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ledger stays: %v", err)
	}
}

// TestWhatAPersonHasWrittenBetweenTwoPreparationsIsNotLost: the second one found it, so
// that is what an undo restores.
func TestWhatAPersonHasWrittenBetweenTwoPreparationsIsNotLost(t *testing.T) {
	m := newMachine(t, map[string]string{"/etc/containerd/config.toml": "old\n"})
	change := func(before, after string) prep.Change {
		return prep.Change{Kind: prep.WriteFile, Path: "/etc/containerd/config.toml", Before: before, Content: after}
	}
	if err := m.prepare(change("old\n", "ours\n")); err != nil {
		t.Fatal(err)
	}
	m.write("/etc/containerd/config.toml", "ours\n# and a mirror of a person's\n")
	if err := m.prepare(change("ours\n# and a mirror of a person's\n", "ours again\n")); err != nil {
		t.Fatal(err)
	}
	done := m.takeBack()
	if got := m.read("/etc/containerd/config.toml"); got != "ours\n# and a mirror of a person's\n" {
		t.Errorf("%q", got)
	}
	if len(done) != 2 || done[0].Kept != "" || done[1].Kept == "" {
		t.Errorf("%+v", done)
	}
}

// TestAFileKeepsItsOwner: a file of a service's user is that user's after a change, and
// after it was taken back.
func TestAFileKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give a file away")
	}
	m := newMachine(t, map[string]string{"/etc/x.conf": "old\n"})
	path := filepath.Join(m.root, "etc/x.conf")
	if err := os.Chown(path, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	owner := func(when string) {
		t.Helper()
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil || st.Uid != 4711 || st.Gid != 4712 {
			t.Errorf("%s: %d:%d, %v", when, st.Uid, st.Gid, err)
		}
	}
	if err := m.prepare(prep.Change{Kind: prep.WriteFile, Path: "/etc/x.conf", Before: "old\n", Content: "new\n"}); err != nil {
		t.Fatal(err)
	}
	owner("changed")
	m.takeBack()
	owner("taken back")
}

// TestAPortThatTheFirewallHadStaysInIt: it was opened for now, and is another's for good.
func TestAPortThatTheFirewallHadStaysInIt(t *testing.T) {
	for name, c := range map[string]struct {
		had  bool
		want []string
	}{
		"it was not there": {false, []string{"firewall-cmd --permanent --remove-port=10250/tcp", "firewall-cmd --remove-port=10250/tcp"}},
		"a person had it":  {true, []string{"firewall-cmd --remove-port=10250/tcp"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, nil)
			if !c.had {
				m.fails["firewall-cmd --permanent --query-port=10250/tcp"] = "no\n"
			}
			if err := m.prepare(prep.Change{Kind: prep.OpenPort, Name: "firewalld", Content: "10250/tcp"}); err != nil {
				t.Fatal(err)
			}
			m.ran = nil
			m.takeBack()
			if got := slices.DeleteFunc(m.ran, func(l string) bool { return strings.Contains(l, "--query") }); !slices.Equal(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestALeftoverOfAPowerCutDoesNotKeepTheLedger: a write of it that was not finished is no
// reason to fail when everything is taken back.
func TestALeftoverOfAPowerCutDoesNotKeepTheLedger(t *testing.T) {
	m := newMachine(t, hostFiles())
	if err := m.prepare(prep.Change{Kind: prep.SetSysctl, Name: "net.ipv4.ip_forward", Content: "1"}); err != nil {
		t.Fatal(err)
	}
	m.write(DefaultDir+"/.kubectl-lifecycle-123", "[{")
	m.takeBack()
	if _, err := os.Lstat(filepath.Join(m.root, DefaultDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ledger stays: %v", err)
	}
}
