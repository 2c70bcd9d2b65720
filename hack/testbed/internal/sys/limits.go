// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// limit is a kernel setting that has to be at least so high.
type limit struct {
	path  string
	least int
}

// limits are those that many nodes on one machine use up: every systemd, every
// containerd and every kubelet watches files. With the usual 128 instances the
// seventh node dies at boot with "too many open files".
func limits() []limit {
	return []limit{
		{"/proc/sys/fs/inotify/max_user_instances", 8192},
		{"/proc/sys/fs/inotify/max_user_watches", 524288},
	}
}

// RaiseLimits raises the kernel settings that are too low, until the next boot,
// and says so. It never lowers one.
func RaiseLimits(p *Progress) error {
	for _, l := range limits() {
		raw, err := os.ReadFile(l.path)
		if err != nil {
			return fmt.Errorf("read kernel setting: %w", err)
		}
		now, wanted := needed(string(raw), l.least)
		if !wanted {
			continue
		}
		name := strings.ReplaceAll(strings.TrimPrefix(l.path, "/proc/sys/"), "/", ".")
		if err := os.WriteFile(l.path, []byte(strconv.Itoa(l.least)), 0o644); err != nil {
			return fmt.Errorf("raise kernel setting %s from %d to %d: %w", name, now, l.least, err)
		}
		p.Say("raised %s from %d to %d until the next boot, for several nodes on one machine", name, now, l.least)
	}
	return nil
}

// needed says what the setting is and whether it has to be raised.
func needed(raw string, least int) (now int, raise bool) {
	now, err := strconv.Atoi(strings.TrimSpace(raw))
	return now, err == nil && now < least
}
