// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestANamespaceIsAPodsUnlessTheHostIsInIt(t *testing.T) {
	for name, tc := range map[string]struct{ first, pods, want string }{
		"a network and mounts of its own":          {"net:[1] mnt:[2] pid:[3] ipc:[4]", "net:[11] mnt:[12]", "mnt:[12] net:[11]"},
		"the host's network":                       {"net:[1] mnt:[2] pid:[3] ipc:[4]", "net:[1] mnt:[12] pid:[13]", "mnt:[12] pid:[13]"},
		"all of the host's":                        {"net:[1] mnt:[2] pid:[3] ipc:[4]", "net:[1] mnt:[2] pid:[3] ipc:[4]", ""},
		"one that several containers have":         {"net:[1] mnt:[2]", "net:[11] net:[11] mnt:[12] net:[11]", "mnt:[12] net:[11]"},
		"the host's network cannot be read":        {"mnt:[2]", "net:[1] mnt:[12]", "mnt:[12]"},
		"nothing of the host's first can be read":  {"", "net:[1] mnt:[2]", ""},
		"there are no pods":                        {"net:[1] mnt:[2]", "", ""},
		"another kind with the number of a host's": {"net:[1] mnt:[2]", "net:[2] mnt:[1]", "mnt:[1] net:[2]"},
	} {
		ids, more := spacesOfPods(strings.Fields(tc.first), strings.Fields(tc.pods))
		if got := strings.Join(ids, " "); got != tc.want || more {
			t.Errorf("%s: %q, want %q (more %v)", name, got, tc.want, more)
		}
	}
	var many []string
	for i := range mostSpaces + 1 {
		many = append(many, fmt.Sprintf("mnt:[%d]", i+100))
	}
	if ids, more := spacesOfPods([]string{"mnt:[2]"}, many); len(ids) != mostSpaces || !more {
		t.Errorf("of too many: %d, more %v", len(ids), more)
	}
}

// Pods had the namespaces 11 to 14 when it was written down, at tick 500.
func TestAProcessIsInAPodsNamespaceByItsNumberAndWhenItBegan(t *testing.T) {
	noted := spaces{IDs: []string{"ipc:[14]", "mnt:[12]", "net:[11]", "pid:[13]"}, Boot: "b1", At: 500}
	process := func(began uint64, in string) dweller { return dweller{began, strings.Fields(in)} }
	for name, tc := range map[string]struct {
		boot string
		all  map[int]dweller
		want map[int]string
	}{
		"in its network alone":           {"b1", map[int]dweller{7: process(400, "net:[11] mnt:[2] pid:[3]")}, map[int]string{7: "network"}},
		"among its files alone":          {"b1", map[int]dweller{7: process(400, "net:[1] mnt:[12] pid:[3]")}, map[int]string{7: "mount"}},
		"among its processes":            {"b1", map[int]dweller{7: process(400, "net:[1] mnt:[2] pid:[13]")}, map[int]string{7: "process"}},
		"it shares its memory":           {"b1", map[int]dweller{7: process(400, "net:[1] ipc:[14]")}, map[int]string{7: "IPC"}},
		"one of the host's own":          {"b1", map[int]dweller{1: process(1, "net:[1] mnt:[2] pid:[3] ipc:[4]")}, nil},
		"one of podman's containers":     {"b1", map[int]dweller{7: process(400, "net:[21] mnt:[22] pid:[23]")}, nil},
		"it began at that moment":        {"b1", map[int]dweller{7: process(500, "net:[11]")}, map[int]string{7: "network"}},
		"a number that was given again":  {"b1", map[int]dweller{7: process(501, "net:[11] mnt:[31]")}, nil},
		"after another boot":             {"b2", map[int]dweller{7: process(400, "net:[11]")}, nil},
		"another kind of that number":    {"b1", map[int]dweller{7: process(400, "net:[12] mnt:[11]")}, nil},
		"one that has no namespaces now": {"b1", map[int]dweller{7: process(400, "")}, nil},
		"a child of one that is in it": {"b1", map[int]dweller{7: process(400, "net:[11]"), 8: process(600, "net:[11]")},
			map[int]string{7: "network", 8: "network"}},
		"a number that was given again, beside one that is in another": {"b1",
			map[int]dweller{7: process(400, "mnt:[12]"), 8: process(600, "net:[11]")}, map[int]string{7: "mount"}},
	} {
		want, got := tc.want, map[int]string{}
		if want == nil {
			want = map[int]string{}
		}
		for pid, in := range noted.outsiders(tc.boot, tc.all) {
			got[pid] = kindOf(in[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhenAProcessBeganIsReadWhateverItIsCalled(t *testing.T) {
	stat := func(name, state string) string {
		return "12 (" + name + ") " + state + strings.Repeat(" 0", 18) + " 4711 5 6\n"
	}
	for name, tc := range map[string]struct {
		stat  string
		at    uint64
		alive bool
	}{
		"one that sleeps":               {stat("sleep", "S"), 4711, true},
		"a name with blanks and braces": {stat("a) Z 1 (b", "R"), 4711, true},
		"a dead process":                {stat("sleep", "Z"), 0, false},
		"one that is being taken away":  {stat("sleep", "X"), 0, false},
		"one that is cut":               {"12 (sleep) S 0 0", 0, false},
		"no number":                     {strings.Replace(stat("sleep", "S"), "4711", "x", 1), 0, false},
		"nothing":                       {"", 0, false},
	} {
		if at, alive := began(tc.stat); at != tc.at || alive != tc.alive {
			t.Errorf("%s: %d %v", name, at, alive)
		}
	}
	if in := spacesOf(1); !slices.ContainsFunc(in, func(id string) bool { return kindOf(id) == "mount" }) {
		t.Skip("the first process cannot be looked at without root: ", in)
	}
}
