// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// machine is a host below a directory, whose commands are noted.
type machine struct {
	Host
	t    *testing.T
	root string
	ran  []string
	// fails are commands that end badly, with what they say.
	fails map[string]string
	units map[string]string
	// on is told of each command that changes something; may be nil.
	on func(line string)
}

func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), fails: map[string]string{}, units: map[string]string{}}
	m.Host = Host{Local: host.Local{Root: m.root, Exec: func(_ context.Context, cmd host.Command) (string, error) {
		line := cmd.String()
		if cmd.Name == "systemctl" && cmd.Args[0] == "show" {
			return m.units[cmd.Args[len(cmd.Args)-1]], nil
		}
		m.ran = append(m.ran, line)
		if m.on != nil {
			m.on(line)
		}
		if said, fails := m.fails[line]; fails {
			return "", &host.CommandError{Command: line, Output: said, Err: errors.New("exit status 1")}
		}
		return "", nil
	}}}
	for path, content := range files {
		m.write(path, content)
	}
	m.write("/var/lib/.keep", "")
	return m
}

func (m *machine) write(path, content string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Join(m.root, filepath.Dir(path)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.root, path), []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(path string) string {
	m.t.Helper()
	raw, err := os.ReadFile(filepath.Join(m.root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return "<none>"
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return string(raw)
}

func (m *machine) prepare(changes ...prep.Change) error {
	_, err := m.Recipe(changes).Run(m.t.Context(), nil)
	return err
}

func (m *machine) takeBack() []prep.Undone {
	m.t.Helper()
	done, err := m.Undo(m.t.Context(), func(string, ...any) {})
	if err != nil {
		m.t.Fatal(err)
	}
	return done
}

func hostFiles() map[string]string {
	return map[string]string{
		"/etc/fstab":                    "UUID=1 / ext4\nUUID=2 none swap sw 0 0\n",
		"/proc/sys/net/ipv4/ip_forward": "0\n",
		"/proc/swaps":                   "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n",
	}
}

func TestWhatIsPreparedIsTakenBackInReverse(t *testing.T) {
	m := newMachine(t, hostFiles())
	before := hostFiles()["/etc/fstab"]
	err := m.prepare(
		prep.Change{Kind: prep.WriteFile, Path: "/etc/fstab", Before: before, Content: "UUID=1 / ext4\n", Mode: 0o600},
		prep.Change{Kind: prep.WriteFile, Path: "/etc/modules-load.d/99-kubernetes.conf", Content: "overlay\n", Absent: true},
		prep.Change{Kind: prep.SetSysctl, Name: "net.ipv4.ip_forward", Content: "1"},
		prep.Change{Kind: prep.SwapOff, Name: "/dev/sda2"},
	)
	if err != nil {
		t.Fatal(err)
	}
	m.write("/proc/swaps", "Filename\n")
	if m.read("/etc/fstab") != "UUID=1 / ext4\n" || m.read("/proc/sys/net/ipv4/ip_forward") != "1" ||
		m.read("/etc/modules-load.d/99-kubernetes.conf") != "overlay\n" || !slices.Contains(m.ran, "swapoff -- /dev/sda2") {
		t.Errorf("%q", m.ran)
	}
	info, err := os.Stat(filepath.Join(m.root, DefaultDir, ledgerName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the ledger: %v %v", info, err)
	}
	for _, u := range m.takeBack() {
		if u.Kept != "" {
			t.Errorf("kept: %+v", u)
		}
	}
	if m.read("/etc/fstab") != before || m.read("/proc/sys/net/ipv4/ip_forward") != "0" ||
		m.read("/etc/modules-load.d/99-kubernetes.conf") != "<none>" || !slices.Contains(m.ran, "swapon -- /dev/sda2") {
		t.Errorf("%q %q", m.ran, m.read("/etc/fstab"))
	}
	if _, err := os.Lstat(filepath.Join(m.root, DefaultDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ledger stays: %v", err)
	}
	if done := m.takeBack(); len(done) != 0 {
		t.Errorf("a second time: %v", done)
	}
}

func TestWhatSomethingElseHasChangedSinceIsLeft(t *testing.T) {
	m := newMachine(t, hostFiles())
	if err := m.prepare(
		prep.Change{Kind: prep.WriteFile, Path: "/etc/sysctl.d/99-zz-kubernetes.conf", Content: "a = 1\n", Absent: true},
		prep.Change{Kind: prep.SetSysctl, Name: "net.ipv4.ip_forward", Content: "1"},
	); err != nil {
		t.Fatal(err)
	}
	m.write("/etc/sysctl.d/99-zz-kubernetes.conf", "a = 2\n")
	m.write("/proc/sys/net/ipv4/ip_forward", "2")
	for _, u := range m.takeBack() {
		if u.Kept == "" {
			t.Errorf("%+v", u)
		}
	}
	if m.read("/etc/sysctl.d/99-zz-kubernetes.conf") != "a = 2\n" || m.read("/proc/sys/net/ipv4/ip_forward") != "2" {
		t.Error("it was changed")
	}
}

func TestAChangeIsMadeOnceAndRememberedFromTheFirst(t *testing.T) {
	m := newMachine(t, hostFiles())
	first := prep.Change{Kind: prep.WriteFile, Path: "/etc/x.conf", Content: "one\n", Absent: true}
	second := prep.Change{Kind: prep.WriteFile, Path: "/etc/x.conf", Content: "two\n", Before: "one\n"}
	if err := m.prepare(first); err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(first, second); err == nil || m.read("/etc/x.conf") != "two\n" {
		// The first is made already when the second run begins, and is not made again.
		if err != nil {
			t.Fatal(err)
		}
	}
	if pending, err := m.Pending(); err != nil || len(pending) != 1 {
		t.Errorf("%v, %v", pending, err)
	}
	m.takeBack()
	if m.read("/etc/x.conf") != "<none>" {
		t.Error("the file stays")
	}
}

func TestAFileThatHasChangedSinceItWasReadIsNotWritten(t *testing.T) {
	for name, c := range map[string]prep.Change{
		"it has other content": {Kind: prep.WriteFile, Path: "/etc/fstab", Before: "old\n", Content: "new\n"},
		"it has come":          {Kind: prep.WriteFile, Path: "/etc/fstab", Absent: true, Content: "new\n"},
		"it has gone":          {Kind: prep.WriteFile, Path: "/etc/gone", Before: "old\n", Content: "new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, hostFiles())
			was := m.read(c.Path)
			if err := m.prepare(c); !errors.Is(err, ErrChanged) || plan.HintOf(err) == "" {
				t.Errorf("%v", err)
			}
			if m.read(c.Path) != was {
				t.Error("it was written")
			}
			if pending, err := m.Pending(); err != nil || len(pending) != 0 {
				t.Errorf("%v, %v", pending, err)
			}
		})
	}
}

// TestALinkDoesNotLeadAChangeAway: a link within the host is followed, as an editor
// does; one of a directory that is given away is not.
func TestALinkDoesNotLeadAChangeAway(t *testing.T) {
	m := newMachine(t, hostFiles())
	m.write("/etc/real/hosts", "a\n")
	if err := os.Symlink("real/hosts", filepath.Join(m.root, "etc/hosts")); err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(prep.Change{Kind: prep.WriteFile, Path: "/etc/hosts", Before: "a\n", Content: "b\n"}); err != nil {
		t.Fatal(err)
	}
	if link, err := os.Readlink(filepath.Join(m.root, "etc/hosts")); err != nil || link != "real/hosts" || m.read("/etc/real/hosts") != "b\n" {
		t.Errorf("%q %v %q", link, err, m.read("/etc/real/hosts"))
	}
	outside := t.TempDir()
	if err := os.MkdirAll(filepath.Join(m.root, "opt/cni"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(m.root, "opt/cni/bin")); err != nil {
		t.Fatal(err)
	}
	if err := m.prepare(prep.Change{Kind: prep.Own, Path: "/opt/cni/bin", Mode: 0o711}); err == nil {
		t.Error("a link was followed out of the host")
	}
	var st unix.Stat_t
	if err := unix.Stat(outside, &st); err != nil || st.Mode&0o777 == 0o711 {
		t.Errorf("%o %v", st.Mode, err)
	}
}

func TestALedgerThatOthersCanWriteIsNotBelieved(t *testing.T) {
	m := newMachine(t, hostFiles())
	dir := filepath.Join(m.root, DefaultDir)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	m.write(DefaultDir+"/"+ledgerName, `[{"change":{"kind":"file","path":"/etc/fstab","content":"x"},"before":{"there":true,"content":"evil"}}]`)
	if _, err := m.Undo(t.Context(), func(string, ...any) {}); plan.ClassOf(err) != plan.Refused ||
		strings.Contains(m.read("/etc/fstab"), "evil") {
		t.Errorf("%v", err)
	}
}

func TestAChangeThatFailsIsInTheLedgerAndTheNextIsNotMade(t *testing.T) {
	m := newMachine(t, hostFiles())
	m.fails["swapoff -- /dev/sda2"] = "Cannot allocate memory"
	err := m.prepare(prep.Change{Kind: prep.SwapOff, Name: "/dev/sda2"}, prep.Change{Kind: prep.SetSysctl,
		Name: "net.ipv4.ip_forward", Content: "1"})
	if err == nil || !strings.Contains(err.Error(), "Cannot allocate memory") || m.read("/proc/sys/net/ipv4/ip_forward") != "0\n" {
		t.Errorf("%v", err)
	}
	for _, u := range m.takeBack() {
		if u.Kept != "" {
			t.Errorf("%+v", u)
		}
	}
	if slices.Contains(m.ran, "swapon -- /dev/sda2") {
		t.Error("swap that was never off was turned on")
	}
}

func TestAModuleInUseStays(t *testing.T) {
	m := newMachine(t, hostFiles())
	c := prep.Change{Kind: prep.LoadModule, Name: "br_netfilter"}
	if err := m.prepare(c); err != nil {
		t.Fatal(err)
	}
	m.write("/sys/module/br_netfilter/refcnt", "1\n")
	m.fails["modprobe -r -- br_netfilter"] = "modprobe: FATAL: Module br_netfilter is in use."
	if done := m.takeBack(); len(done) != 1 || done[0].Kept == "" {
		t.Errorf("%+v", done)
	}
}

func TestAUnitGetsItsStateBack(t *testing.T) {
	m := newMachine(t, hostFiles())
	enabled := "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
	m.units["a.swap"], m.units["b.swap"] = enabled, enabled
	if err := m.prepare(prep.Change{Kind: prep.MaskUnit, Name: "a.swap"}, prep.Change{Kind: prep.DisableUnit, Name: "b.swap"}); err != nil {
		t.Fatal(err)
	}
	m.units["a.swap"] = "LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n"
	m.units["b.swap"] = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n"
	m.takeBack()
	want := []string{"systemctl mask --now a.swap", "systemctl disable --now b.swap", "systemctl enable b.swap", "systemctl start b.swap",
		"systemctl unmask a.swap", "systemctl start a.swap"}
	if !slices.Equal(m.ran, want) {
		t.Errorf("%q", m.ran)
	}
}
