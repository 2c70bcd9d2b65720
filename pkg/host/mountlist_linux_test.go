// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The overlay of a container of hundreds of layers has a line of hundreds of KiB.
func TestMountsAreReadHoweverLongTheirLinesAre(t *testing.T) {
	const first, last = "1 0 8:1 / / rw - ext4 /dev/sda rw\n", "3 1 8:2 / /last rw shared:5 - ext4 /dev/sdb rw\n"
	for name, tc := range map[string]struct {
		line string
		// want are the paths, options how many bytes the longest have; else err and hint are parts.
		want, err, hint string
		options         int
	}{
		"an overlay of 500 layers": {"2 1 0:9 / /over rw - overlay overlay rw,lowerdir=" + strings.Repeat(strings.Repeat("x", 410)+":", 500) +
			"\n", "/ /over /last", "", "", 200 << 10},
		"a path of 200 KiB": {"2 1 0:9 / " + strings.Repeat("/x", 100<<10) + " rw - tmpfs tmpfs rw\n", "/ " + strings.Repeat("/x", 100<<10) +
			" /last", "", "", 0},
		"options of another file system, which are not kept": {"2 1 0:9 / /cifs rw - cifs //s/x rw,password=" + strings.Repeat("x", 200<<10) +
			"\n", "/ /cifs /last", "", "", 0},
		"one that is no mount": {"2 1 0:9 / /odd\\040one rw tmpfs\n", "", "read mounts: at the mount on /odd one: ", "umount '/odd one'", 0},
		"a path of 40 MiB": {"2 1 0:9 / " + strings.Repeat("/x", 20<<20) + " rw - tmpfs tmpfs rw\n", "", "read mounts: at the mount on /x",
			"mountinfo", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "mountinfo"), []byte(first+tc.line+last), 0o600); err != nil {
				t.Fatal(err)
			}
			mounts, err := host.Local{Proc: dir}.Mounts()
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || len(err.Error()) > 1024 || !strings.Contains(plan.HintOf(err), tc.hint) {
					t.Errorf("got %.200v, the way out %q", err, plan.HintOf(err))
				}
				return
			}
			var paths []string
			options := 0
			for _, m := range mounts {
				paths, options = append(paths, m.Path), max(options, len(m.Options))
			}
			if got := strings.Join(paths, " "); err != nil || got != tc.want || options < tc.options || tc.options == 0 && options > 0 {
				t.Errorf("read %.200q with options of %d bytes, %v", got, options, err)
			}
		})
	}
}

func TestWhatAnotherMachineOrAProgramServesMayHang(t *testing.T) {
	for _, kind := range []string{"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse", "fuse.sshfs", "fuse.glusterfs", "glusterfs",
		"lustre", "afs", "beegfs", "gpfs", "virtiofs"} {
		for _, root := range []string{"/", "/export"} {
			if got := (host.Mount{FSType: kind, Root: root}).Class(); got != host.Remote {
				t.Errorf("%s, mounted from %s: %s", kind, root, got)
			}
		}
	}
}
