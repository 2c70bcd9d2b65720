// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// FuzzSocket feeds what an annotation of the Node may say, which the kubelet can write: only a
// socket of this host's counts, at the very path, and no link is followed.
func FuzzSocket(f *testing.F) {
	for _, said := range []string{"unix:///run/a.sock", "/var/run/a.sock", "unix:///run/link/a.sock", "/run/../run/a.sock", "run/a.sock",
		"unix://unix:///run/a.sock", "/run/file", "/../../../run/a.sock", "npipe:////./pipe/x", "\x00", "/run/self/a.sock/b", "/"} {
		f.Add(said)
	}
	top, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	for _, err := range []error{os.MkdirAll(top+"/run", 0o700), unix.Mknod(top+"/run/a.sock", unix.S_IFSOCK|0o600, 0),
		os.Symlink(".", top+"/run/link"), os.Symlink("a.sock", top+"/run/to.sock"), os.WriteFile(top+"/run/file", nil, 0o600),
		os.Symlink(top+"/run", top+"/run/self")} {
		if err != nil {
			f.Fatal(err)
		}
	}
	of := Runtime{Host: part.Host{Local: host.Local{Root: top}}}
	f.Fuzz(func(t *testing.T, said string) {
		socket := plainSocket(said)
		if again := plainSocket(socket); again != socket || strings.HasPrefix(socket, "/var/run/") {
			t.Errorf("%q is %q, and then %q", said, socket, again)
		}
		is, why := of.listens(socket)
		if is && (socket != "/run/a.sock" || why != "") {
			t.Errorf("%q is taken for a socket (%s)", socket, why)
		}
		if !is && socket == "/run/a.sock" {
			t.Errorf("%q is not taken for one: %s", socket, why)
		}
	})
}
