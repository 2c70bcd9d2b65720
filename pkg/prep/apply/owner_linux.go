// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"os"
	"syscall"
)

// ownedByUs reports whether a file belongs to the user that this program is: root.
func ownedByUs(info os.FileInfo) bool {
	st, known := info.Sys().(*syscall.Stat_t)
	return known && int(st.Uid) == os.Geteuid()
}
