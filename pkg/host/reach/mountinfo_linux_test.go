// SPDX-License-Identifier: Apache-2.0

package reach

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAMountIsReadFromItsLine(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want Entry
		bad  bool
	}{
		"a disk": {"36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw,errors=continue", Entry{ID: 36, Parent: 35, Device: "98:0", Root: "/",
			Path: "/mnt", Tags: []string{}, FSType: "ext3", Source: "/dev/root", VFSOptions: "rw,errors=continue"}, false},
		"in groups": {"36 35 0:5 /a /b rw shared:7 master:1 - tmpfs none rw", Entry{ID: 36, Parent: 35, Device: "0:5", Root: "/a", Path: "/b",
			Tags: []string{"shared:7", "master:1"}, FSType: "tmpfs", Source: "none", VFSOptions: "rw"}, false},
		"with blanks and a backslash": {`1 2 0:5 /a\040b /c\134\012d rw - fuse.x\040y s\040t rw`, Entry{ID: 1, Parent: 2, Device: "0:5",
			Root: "/a b", Path: "/c\\\nd", Tags: []string{}, FSType: "fuse.x y", Source: "s t", VFSOptions: "rw"}, false},
		"without a source": {"1 2 0:5 / /a rw - tmpfs  rw", Entry{ID: 1, Parent: 2, Device: "0:5", Root: "/", Path: "/a", Tags: []string{},
			FSType: "tmpfs", VFSOptions: "rw"}, false},
		"an option with blanks, as of an old CIFS": {"1 2 0:5 / /a rw - cifs //s/x rw,unc=//s/My Docs", Entry{ID: 1, Parent: 2, Device: "0:5",
			Root: "/", Path: "/a", Tags: []string{}, FSType: "cifs", Source: "//s/x", VFSOptions: "rw,unc=//s/My Docs"}, false},
		"one called as the divider": {"1 2 0:5 / /- rw - ext4 - rw", Entry{ID: 1, Parent: 2, Device: "0:5", Root: "/", Path: "/-",
			Tags: []string{}, FSType: "ext4", Source: "-", VFSOptions: "rw"}, false},
		"nothing":              {"", Entry{}, true},
		"a number alone":       {"36", Entry{}, true},
		"no divider":           {"36 35 98:0 / /mnt rw ext3 /dev/root rw", Entry{Device: "98:0", Root: "/", Path: "/mnt"}, true},
		"no options":           {"36 35 98:0 / /mnt rw - ext3 /dev/root", Entry{Device: "98:0", Root: "/", Path: "/mnt"}, true},
		"no number of a mount": {"x 35 98:0 / /mnt rw - ext3 /dev/root rw", Entry{Device: "98:0", Root: "/", Path: "/mnt"}, true},
		"no device":            {"36 35 98 / /mnt rw - ext3 /dev/root rw", Entry{Device: "98", Root: "/", Path: "/mnt"}, true},
	} {
		got, ok := entry(tc.line)
		if diff := cmp.Diff(tc.want, got); diff != "" || ok == tc.bad {
			t.Errorf("%s: %v (-want +got):\n%s", name, ok, diff)
		}
	}
}

// endless says the same for ever.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestAListOfMountsIsReadWithinBoundsAndSaysWhereItEnded(t *testing.T) {
	const disk, last = "1 2 8:1 / /disk rw - ext4 /dev/sda rw\n", "3 2 8:2 / /last rw - ext4 /dev/sdb rw"
	overlay := func(size int) string {
		return "2 1 0:9 / /over rw - overlay overlay rw,lowerdir=" + strings.Repeat("/a/layer:", size/9) + "\n"
	}
	for name, tc := range map[string]struct {
		from io.Reader
		// read are the paths, at is where it ended.
		read, at string
		options  int
		ended    bool
	}{
		"short lines":               {strings.NewReader(disk + last), "/disk /last", "", 2, false},
		"a line of 200 KiB":         {strings.NewReader(disk + overlay(200<<10) + last), "/disk /over /last", "", 200 << 10, false},
		"options of just the bound": {strings.NewReader(overlay(mostOfOptions-64) + last), "/over /last", "", mostOfOptions - 100, false},
		"options of many times the bound": {strings.NewReader(disk + overlay(9<<20) + last), "/disk /over /last", "", mostOfOptions,
			false},
		"a line of more than the bound": {strings.NewReader(disk + overlay(mostOfLine+100) + last), "/disk /over /last", "", mostOfOptions,
			false},
		"a path of 2 MiB": {strings.NewReader(disk + "2 1 0:9 / /" + strings.Repeat("x", 2<<20) + " rw - x x x\n" + last),
			"/disk /" + strings.Repeat("x", 2<<20) + " /last", "", 2, false},
		"nothing": {strings.NewReader(""), "", "", 0, false},
		"a line that cannot be read": {strings.NewReader(disk + "2 1 0:9 / /odd rw overlay x\n" + last), "/disk", "/odd", 2,
			true},
		"a line that has no path": {strings.NewReader(disk + "nonsense\n"), "/disk", "", 2, true},
		"a path longer than the bound": {strings.NewReader(disk + "2 1 0:9 / /" + strings.Repeat("x", mostOfLine) + " rw - x x x\n"), "/disk",
			"/x", 2, true},
		"a line without end":            {io.MultiReader(strings.NewReader(disk), endless("abcdefgh")), "/disk", "/disk", 2, true},
		"a line without end, and first": {endless("abcdefgh"), "", "", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			var read []string
			options := 0
			err := EachMount(tc.from, func(e Entry) {
				read, options = append(read, e.Path), max(options, len(e.VFSOptions))
			})
			var at *MountsError
			if errors.As(err, &at) != tc.ended || !tc.ended && err != nil {
				t.Fatalf("got %v", err)
			}
			if got := strings.Join(read, " "); got != tc.read || options < tc.options || options > mostOfOptions {
				t.Errorf("read %.200q with options of %d bytes", got, options)
			}
			if tc.ended && len(err.Error()) > 1024 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if tc.ended && (!strings.HasPrefix(at.Path, tc.at) || tc.at == "" && at.Path != "") {
				t.Errorf("it ended at %.40q", at.Path)
			}
		})
	}
	n := 0
	err := EachMount(endless(disk), func(Entry) { n++ })
	if at := (*MountsError)(nil); !errors.As(err, &at) || at.Path != "/disk" || n < 1_000_000 {
		t.Errorf("a list without end: %v after %d", err, n)
	}
}
