// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"slices"
	"strings"
	"testing"
)

func FuzzCgroupRoot(f *testing.F) {
	f.Add([]byte("cgroupRoot: /kubelet\n"))
	f.Add([]byte("cgroupRoot: \"/../../etc\"\ncgroupRoot: /a"))
	f.Add([]byte("x: y\ncgroupRoot: /a/./b//c\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, root := range podRoots(cgroupRootIn(raw)) {
			if strings.HasPrefix(root, "/") || slices.Contains(strings.Split(root, "/"), "..") || !strings.Contains(root, "kubepods") {
				t.Errorf("pods' cgroups at %q", root)
			}
		}
	})
}
