// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// capSysResource is the number of CAP_SYS_RESOURCE in linux/capability.h.
const capSysResource = 24

// lacksSysResource says whether the process can never have CAP_SYS_RESOURCE,
// because its bounding set is without it; pid "self" asks about ourselves.
func lacksSysResource(pid string) (bool, error) {
	path := "/proc/" + pid + "/status"
	raw, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read capabilities: %w", err)
	}
	set, err := boundingSet(string(raw))
	if err != nil {
		return false, fmt.Errorf("read capabilities of %s: %w", path, err)
	}
	return set&(1<<capSysResource) == 0, nil
}

// boundingSet reads the CapBnd line of a /proc/*/status file.
func boundingSet(status string) (uint64, error) {
	for line := range strings.Lines(status) {
		value, ok := strings.CutPrefix(line, "CapBnd:")
		if !ok {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return 0, fmt.Errorf("parse CapBnd: %w", err)
		}
		return set, nil
	}
	return 0, fmt.Errorf("no CapBnd line")
}
