// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A path of a host's may lead, over links, to the file system of a dead server, and who
// follows it hangs for ever. host.Local and part.Host have the ways to look at one that ask
// first where it leads; what goes around them says here why it may.
func TestNothingFollowsAPathOfTheHostsWithoutAskingWhereItLeads(t *testing.T) {
	around := regexp.MustCompile(`\b(os|unix|filepath|host)\.(ReadFile|ReadPlain|ReadHead|ReadLinked|OpenPlain|Open|OpenFile|ReadDir|Stat|` +
		`Lstat|Readlink|Glob|EvalSymlinks|Statfs|WalkDir)\(.*\.Path\(`)
	mayGo := regexp.MustCompile(`\.Path\((t\.StateDir|BPFDir|filepath\.Join\(network\.BPFDir|inventory\.CgroupDir|real|dir|"/proc/|"/"|` +
		`filepath\.Join\("/proc/sys")`) // this program's own, the kernel's, and what was resolved just before
	known := map[string]bool{ // below the mounts of cgroups, and a mount whose class was asked
		"../pkg/clean/runtime/cgroupskill_linux.go": true, "../pkg/clean/runtime/cgroups_linux.go": true,
		"../pkg/clean/network/cgroupbpf_linux.go": true, "../pkg/clean/disk/loops_linux.go": true,
		"../pkg/clean/disk/backup_linux.go": true, // below what a look has just found
	}
	seen := 0
	for _, root := range []string{"../pkg/clean", "../pkg/host", "../cmd/lifecycle-node"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Base(filepath.Dir(path)) == "certrenew" { // files of a control plane that runs, whose API server reads them
				return err
			}
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || known[path] {
				return err
			}
			source, err := os.ReadFile(path)
			for line := range strings.Lines(string(source)) {
				if !around.MatchString(line) {
					continue
				}
				if seen++; !mayGo.MatchString(line) {
					t.Errorf("%s: %s", path, strings.TrimSpace(line))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 {
		t.Error("nothing was found that goes around at all: the expression fits no more")
	}
}
