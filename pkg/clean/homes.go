// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// home is the home directory of a user of a host.
type home struct {
	path string
	user uint32
}

// homesIn are the home directories that a text in the format of /etc/passwd names, by
// their paths; the first user of several counts.
func homesIn(passwd string) []home {
	var out []home
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 6 || !filepath.IsAbs(fields[5]) {
			continue
		}
		user, err := strconv.ParseUint(fields[2], 10, 32)
		h := home{path: filepath.Clean(fields[5]), user: uint32(user)}
		if err != nil || h.path == "/" {
			continue
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b home) int { return cmp.Compare(a.path, b.path) })
	return slices.CompactFunc(out, func(a, b home) bool { return a.path == b.path })
}
