// SPDX-License-Identifier: Apache-2.0

package hack_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// followed are the calls of a source that look at a path themselves, each on one line: those
// of a path that host.Local has made one of this program's, and those of package host that
// take any path.
func followed(t *testing.T, name string, source any) (out []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`^(os|unix|filepath|host)\.(ReadFile|ReadPlain|ReadHead|ReadLinked|OpenPlain|Open|OpenFile|ReadDir|Stat|` +
		`Lstat|Readlink|Glob|EvalSymlinks|Statfs|WalkDir|Openat|Openat2)\(`)
	ast.Inspect(file, func(n ast.Node) bool {
		if c, is := n.(*ast.CallExpr); is {
			var text bytes.Buffer
			if err := printer.Fprint(&text, files, c); err != nil {
				t.Fatal(err)
			}
			line := strings.Join(strings.Fields(text.String()), " ")
			if call.MatchString(line) && (strings.HasPrefix(line, "host.") || strings.Contains(line, ".Path(")) {
				out = append(out, line)
			}
		}
		return true
	})
	return out
}

// mayFollow are the calls that may go around: of this program's own files, the kernel's but
// for what a process has, and what was resolved just before.
var mayFollow = regexp.MustCompile(`\.Path\( ?(t\.StateDir|BPFDir|filepath\.Join\(network\.BPFDir|inventory\.CgroupDir|real|dir|"/proc/|"/"|` +
	`filepath\.Join\("/proc/sys")|^host\.\w+\((in\(|real,|table,|"/proc/self/cgroup"|fmt\.Sprintf\("/proc/%d/(comm|cgroup|stat)"|` +
	`(dir|at|process) ?\+ ?"/(cmdline|cgroup|comm)"|filepath\.Join\(dir, "(comm|environ|cmdline|status)"\))`)

// A path of a host's may lead, over links, to the file system of a dead server, and who
// follows it hangs for ever. host.Local and part.Host have the ways to look at one that ask
// first where it leads; what goes around them says here why it may.
func TestNothingFollowsAPathOfTheHostsWithoutAskingWhereItLeads(t *testing.T) {
	known := map[string]bool{ // below the mounts of cgroups, and a mount whose class was asked
		"../pkg/clean/runtime/cgroupskill_linux.go": true, "../pkg/clean/runtime/cgroups_linux.go": true,
		"../pkg/clean/network/cgroupbpf_linux.go": true, "../pkg/clean/disk/loops_linux.go": true,
		"../pkg/clean/disk/backup_linux.go": true, // below what a look has just found
	}
	plain := map[string]bool{
		"../pkg/clean/runtime/shims_linux.go":           true, // a thread's children, in /proc
		"../cmd/lifecycle-node/report/journal.go":       true, // in the run's own directory
		"../cmd/lifecycle-node/inspect.go":              true, // a process' cgroup, in /proc
		"../cmd/lifecycle-node/certlook/ready_linux.go": true, // what its API server runs with
		"../cmd/lifecycle-node/hostprep/init.go":        true, // what kubeadm has written just now
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
			for _, line := range followed(t, path, nil) {
				if seen++; !mayFollow.MatchString(line) && (!plain[path] || strings.Contains(line, ".Path(")) {
					t.Errorf("%s: %s", path, line)
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

func TestACallThatFollowsAPathIsFoundHoweverItIsWritten(t *testing.T) {
	const head = "package x\nfunc f() {\n"
	for body, found := range map[string]int{
		"_ = os.Open(h.Path(p))": 1,
		"_ = os.OpenFile(\n\tfilepath.Join(\n\th.Path(p), q,\n),\n0, 0)": 1,
		"_, _ = host.ReadLinked(p, 1)":                                   1,
		"_, _ = host.ReadPlain(\n\tp,\n\t1)":                             1,
		"_, _ = host.ReadPlain(\"/proc/1/root/etc\", 1)":                 1,
		"_, _ = h.ReadLinked(p, 1); _ = os.Open(own)":                    0,
		"_, _ = host.ReadPlain(in(name), 1)":                             0,
		"_, _ = host.ReadPlain(filepath.Join(dir, \"status\"), 1)":       0,
		"_, _ = host.ReadPlain(filepath.Join(dir, \"cwd/x\"), 1)":        1,
	} {
		n := 0
		for _, line := range followed(t, "x.go", head+body+"\n}") {
			if !mayFollow.MatchString(line) {
				n++
			}
		}
		if n != found {
			t.Errorf("%s: found %d, want %d", body, n, found)
		}
	}
}
