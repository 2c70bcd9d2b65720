// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzPodOfCgroup(f *testing.F) {
	f.Add("0::/kubepods.slice/kubepods-pod367ab903_f6f9_43bf_97d3_db40924d030f.slice/cri-containerd-" + strings.Repeat("0a", 32) + ".scope")
	f.Add("0::/docker/" + strings.Repeat("0a", 32))
	f.Fuzz(func(t *testing.T, cgroup string) {
		pod, container := podOfCgroup(cgroup)
		if strings.Trim(pod, "0123456789abcdef-") != "" || len(pod) > 36 || len(container) != 0 && len(container) != 64 || pod == "" &&
			container != "" {
			t.Errorf("pod %q, container %q", pod, container)
		}
	})
}

// What a process says of itself is bounded and prints as one word of a line.
func FuzzCommand(f *testing.F) {
	f.Add([]byte("/usr/bin/tail\x00-f\x00"), []byte("tail\n"))
	f.Add([]byte("\x1b[2J\x00"), []byte("\xe2\x80\xae"))
	f.Fuzz(func(t *testing.T, cmdline, comm []byte) {
		dir := t.TempDir()
		if os.WriteFile(filepath.Join(dir, "cmdline"), cmdline, 0o600) != nil || os.WriteFile(filepath.Join(dir, "comm"), comm, 0o600) != nil {
			t.Fatal("cannot write")
		}
		if name := command(dir); utf8.RuneCountInString(name) > 64 || strings.ContainsAny(name, "\x1b\n\x00\u202e") {
			t.Errorf("%q", name)
		}
	})
}

// FuzzUnmountOrder feeds whatever the kernel may list, also while it changes: each mount has its
// turn once, and what is mounted on one has it before.
func FuzzUnmountOrder(f *testing.F) {
	f.Add([]byte("1 0 8:1 / / rw - ext4 a rw\n2 1 0:9 / /k rw shared:3 - tmpfs b rw\n3 2 0:9 /x /k/a\\040b rw - tmpfs b rw\n"))
	f.Add([]byte("5 6 0:9 / /a rw - tmpfs b rw\n6 5 0:9 / /a/b rw - tmpfs b rw\n"))                           // a circle
	f.Add([]byte("5 5 0:9 / /a rw - tmpfs b rw\n5 5 0:9 / /b rw - tmpfs b rw\n6 5 0:9 / /a/c rw - x y rw\n")) // a number twice
	f.Add([]byte("1 0 0:9 / /over rw - overlay o rw,lowerdir=/l:/m,upperdir=/u\n2 1 0:9 / /over rw - autofs o rw,fd=5\n"))
	at := filepath.Join(f.TempDir(), "mountinfo")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(at, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		mounts, err := Local{Proc: filepath.Dir(at)}.Mounts()
		if err != nil {
			if len(err.Error()) > 2048 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if lines := bytes.Count(raw, []byte("\n")) + 1; len(mounts) > lines {
			t.Errorf("%d mounts in %d lines", len(mounts), lines)
		}
		ours := func(m Mount) bool { return m.ID%3 != 0 }
		parents, twice, turns := map[int]int{}, map[int]bool{}, map[Mount]int{}
		for _, m := range mounts {
			_, known := parents[m.ID]
			twice[m.ID], parents[m.ID] = known, m.Parent
			if ours(m) {
				turns[m]++
			}
		}
		position := map[int]int{}
		for i, m := range UnmountOrder(mounts, ours) {
			turns[m]--
			position[m.ID] = i
		}
		for m, n := range turns {
			if n != 0 {
				t.Errorf("%+v has its turn %d times too seldom", m, n)
			}
		}
		for id := range position {
			parent, depth := parents[id], 0
			for at := parent; depth < len(mounts) && !twice[at]; depth++ {
				next, known := parents[at]
				if !known || next == at {
					break
				}
				at = next
			}
			i, known := position[parent]
			if known && parent != id && depth < len(mounts) && len(parents) == len(mounts) && i < position[id] {
				t.Errorf("%d is unmounted before %d, which is on it", parent, id)
			}
		}
	})
}
