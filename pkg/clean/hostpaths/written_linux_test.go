// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// failing is a command that ends with 1, as package managers do that found a difference.
func failing(output string) error {
	return &host.CommandError{Command: "x", Output: output, Err: exec.Command("sh", "-c", "exit 1").Run()}
}

func TestAFileOfAPackageIsSparedOnlyIfItIsAsThePackageBroughtIt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"unit", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("unit", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path, from, ask, said string
		packaged, err         error
		want                  bool
	}{
		"from no package":     {path: "/unit"},
		"nothing tells":       {path: "/unit", from: "x: /unit", packaged: errors.New("locked")},
		"Debian's, as it was": {path: "/unit", from: "x:amd64: /unit", ask: "dpkg --verify x:amd64", want: true},
		"Debian's, and another file differs": {path: "/unit", from: "x: /unit", ask: "dpkg --verify x",
			said: "??5?????? c /other\n", want: true},
		"Debian's, overwritten":                 {path: "/unit", from: "x: /unit", ask: "dpkg --verify x", said: "??5??????   /unit\n"},
		"Debian's, overwritten, said by a code": {path: "/unit", from: "x: /unit", ask: "dpkg --verify x", err: failing("??5??????   /unit\n")},
		"Debian's, of several packages":         {path: "/unit", from: "x, y: /unit", ask: "rpm -Vf /unit", err: errors.New("no rpm")},
		"Debian's link to a file of a package":  {path: "/link", from: "x: ", ask: "dpkg --verify x", want: true},
		"Fedora's, as it was":                   {path: "/unit", from: "x-1.fc42", ask: "rpm -Vf /unit", want: true},
		"Fedora's, with another time": {path: "/unit", from: "x-1.fc42", ask: "rpm -Vf /unit",
			err: failing(".......T.    /unit\n"), want: true},
		"Fedora's, overwritten":                {path: "/unit", from: "x-1.fc42", ask: "rpm -Vf /unit", err: failing("S.5....T.  c /unit\n")},
		"Fedora's, unreadable":                 {path: "/unit", from: "x-1.fc42", ask: "rpm -Vf /unit", err: failing("..?......    /unit\n")},
		"Fedora's link, which leads elsewhere": {path: "/link", from: "x-1.fc42", ask: "rpm -Vf /link", err: failing("....L....    /link\n")},
		"the manager fails":                    {path: "/unit", from: "x: /unit", ask: "dpkg --verify x", err: errors.New("it hangs")},
	} {
		asked := ""
		on := HostPaths{
			Host: part.Host{Local: host.Local{Root: dir, Proc: "/proc/self", Exec: func(_ context.Context, cmd host.Command) (string, error) {
				asked = cmd.Name + " " + strings.Join(cmd.Args, " ")
				return tc.said, tc.err
			}}},
			Packaged: func(_ context.Context, path string) (string, error) {
				if strings.HasSuffix(tc.from, ": ") {
					return tc.from + path, tc.packaged
				}
				return tc.from, tc.packaged
			},
		}
		info, err := on.Lstat(tc.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := on.unaltered(t.Context(), tc.path, info); got != tc.want || asked != tc.ask {
			t.Errorf("%s: %v, asked %q", name, got, asked)
		}
	}
}

func TestAChangeIsDatedByTheKernelsTime(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "unit")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(path, long, long); err != nil { // as cp -p and touch -r do
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		joined time.Time
		from   string
		want   string
	}{
		"made since, and set back":           {time.Now().Add(-time.Hour), "", "made since the join"},
		"made since, by a package":           {time.Now().Add(-time.Hour), "x: /unit", ""},
		"before the join, and not since":     {time.Now().Add(time.Hour), "", ""},
		"made before, changed, and set back": {time.Time{}, "", "changed since the join"},
	} {
		if tc.joined.IsZero() { // between its birth and now
			born := time.Now()
			for time.Since(born) < 2*part.JoinMoment {
				if err := os.Chtimes(path, long, long); err != nil {
					t.Fatal(err)
				}
			}
			tc.joined = born.Add(part.JoinMoment + part.JoinMoment/2)
		}
		on := HostPaths{
			Host: part.Host{Facts: inventory.Facts{Joined: tc.joined}, Local: host.Local{Root: dir, Proc: "/proc/self",
				Exec: func(context.Context, host.Command) (string, error) { return "", nil }}},
			Packaged: func(context.Context, string) (string, error) { return tc.from, nil },
		}
		info, err := on.Lstat("/unit")
		if err != nil {
			t.Fatal(err)
		}
		if got := on.written(t.Context(), "/unit", info); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAShareThatHoldsTheBusWritesWhatTheHostDoesByItself(t *testing.T) {
	for share, want := range map[string]bool{
		"/run/dbus": true, "/run/dbus/system_bus_socket": true, "/run": true, "/": true, "/run/systemd": true, "/run/systemd/private": true,
		"/run/dbusx": false, "/run/systemd/notify": false, "/etc/udev": false,
	} {
		var paths []string
		for _, p := range places(part.Shares{List: []part.Share{{Path: share, Pod: "ns/a"}}}, nil) {
			paths = append(paths, p.path)
		}
		if got := len(paths) > 0 && paths[0] == "/run/systemd/transient"; got != want {
			t.Errorf("%s: %v", share, paths)
		}
	}
}

// Of the pods that could write somewhere that is named which was given least: one that has all of
// /etc, to read from it, as a rule, is not what wrote there.
func TestAPlaceIsOfThePodThatWasGivenLeast(t *testing.T) {
	shares := part.Shares{}
	for _, path := range []string{"/", "/etc", "/etc/udev", "/usr/lib/cni", "/etc/agent", "/opt"} {
		shares.List = append(shares.List, part.Share{Path: path, Pod: path, Writes: true})
	}
	got := map[string]string{}
	for _, p := range places(shares, []string{"/opt/cni/bin", "/usr/lib/cni"}) {
		got[p.path] = p.pod + " " + p.all
	}
	for path, want := range map[string]string{
		"/etc/udev": "/etc/udev ", "/etc/cron.d": "/etc /etc", "/etc/agent": "/etc/agent ", "/root/.ssh": "/ /", "/opt": "/opt /opt",
		"/usr/local": "/ /", "/usr/lib/cni": "/usr/lib/cni ", "/opt/cni/bin": "",
	} {
		if got[path] != want {
			t.Errorf("%s: %q, want %q", path, got[path], want)
		}
	}
}

// What a package has brought since the join was built since, too: where packages have their own it
// is asked whether a file is a package's.
func TestAPluginThatAPackageBroughtSinceTheJoinIsThePackages(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		path, from, said string
		want             string
	}{
		"a plugin of a package": {"/opt/cni/bin/bridge", "kubernetes-cni: /opt/cni/bin/bridge", "", ""},
		"one that was changed": {"/opt/cni/bin/bridge", "kubernetes-cni: /opt/cni/bin/bridge",
			"??5??????   /opt/cni/bin/bridge", "made"},
		"beside one that was":                {"/opt/cni/bin/bridge", "kubernetes-cni: /opt/cni/bin/bridge", "??5??????   /opt/cni/bin/ptp", ""},
		"a plugin of no package":             {"/opt/cni/bin/bridge", "", "", "made"},
		"a unit of a package":                {"/usr/lib/systemd/system/x.service", "x: /usr/lib/systemd/system/x.service", "", ""},
		"a program where no package has its": {"/usr/local/bin/x", "x: /usr/local/bin/x", "", "made"},
	} {
		err := errors.Join(os.MkdirAll(filepath.Dir(dir+tc.path), 0o755), os.WriteFile(dir+tc.path, nil, 0o755))
		if err != nil {
			t.Fatal(err)
		}
		on := HostPaths{
			Host: part.Host{Facts: inventory.Facts{Joined: time.Now().Add(-time.Hour)}, Local: host.Local{Root: dir, Proc: "/proc/self",
				Exec: func(context.Context, host.Command) (string, error) { return tc.said, nil }}},
			Packaged: func(context.Context, string) (string, error) { return tc.from, nil },
		}
		info, err := on.Lstat(tc.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := on.written(t.Context(), tc.path, info); !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestWhatPodsWroteIsSaidToBeUnknownWhereNothingDatesTheJoin(t *testing.T) {
	for name, tc := range map[string]struct {
		shares []part.Share
		want   []string
	}{
		"a pod could write settings": {[]part.Share{{Path: "/etc/systemd", Pod: "ns/a", Writes: true}},
			[]string{"what pods wrote on this host: not looked at: nothing tells when this host joined"}},
		"pods only read them":    {[]part.Share{{Path: "/etc/systemd", Pod: "ns/a"}}, nil},
		"no pod was given any":   {nil, nil},
		"a pod had its own data": {[]part.Share{{Path: "/srv/pg", Pod: "ns/a", Writes: true}}, nil},
	} {
		var s part.Findings
		HostPaths{}.lookFiles(t.Context(), &s, part.Shares{List: tc.shares})
		var got []string
		for _, it := range s.Items {
			got = append(got, it.Name+": "+it.Refers)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOnlyAnAutomountWhoseProgramIsGoneIsACandidate(t *testing.T) {
	for options, want := range map[string]bool{
		"rw,fd=-1,pgrp=812,timeout=0,minproto=5,maxproto=5,indirect": true,
		"rw,fd=7,pgrp=812,timeout=300,minproto=5,maxproto=5":         false,
		"rw,fd=32,pgrp=1,timeout=0,direct,pipe_ino=5":                false,
		"": false,
	} {
		if got := candidate(host.Mount{Path: "/var/cvmfs", Root: "/", FSType: "autofs", Options: options}); got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
}
