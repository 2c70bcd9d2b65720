// SPDX-License-Identifier: Apache-2.0

package host

import (
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
