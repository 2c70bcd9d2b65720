// SPDX-License-Identifier: Apache-2.0

package part

import (
	"path/filepath"
	"strings"
)

// WhereOf is the mountpoint of a systemd mount or automount unit; empty if the text is
// none.
func WhereOf(text string) string {
	for line := range strings.Lines(text) {
		if key, value, is := strings.Cut(line, "="); is && strings.TrimSpace(key) == "Where" {
			if where := strings.TrimSpace(value); filepath.IsAbs(where) {
				return filepath.Clean(where)
			}
		}
	}
	return ""
}

// Mountpoints are those that a text in the format of /etc/fstab names. The kernel and
// mount(8) write white space and backslashes in octal.
func Mountpoints(fstab string) []string {
	var out []string
	for line := range strings.Lines(fstab) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		path := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[1])
		if filepath.IsAbs(path) {
			out = append(out, filepath.Clean(path))
		}
	}
	return out
}
