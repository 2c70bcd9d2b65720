// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Home is the home directory of a user of a host.
type Home struct {
	Path string
	user uint32
}

// homesIn are the home directories that a text in the format of /etc/passwd names, by
// their paths; the first user of several counts.
func homesIn(passwd string) []Home {
	var out []Home
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 6 || !filepath.IsAbs(fields[5]) {
			continue
		}
		user, err := strconv.ParseUint(fields[2], 10, 32)
		h := Home{Path: filepath.Clean(fields[5]), user: uint32(user)}
		if err != nil || h.Path == "/" || systems(h.Path) {
			continue
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b Home) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(out, func(a, b Home) bool { return a.Path == b.Path })
}

// systems reports whether a directory is the system's own, which /etc/passwd gives to users
// who are none: what is there is no one's home.
func systems(dir string) bool {
	own := []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/nonexistent", "/proc", "/run", "/sbin", "/sys", "/usr"}
	return slices.ContainsFunc(own, func(of string) bool { return dir == of || strings.HasPrefix(dir, of+"/") })
}
