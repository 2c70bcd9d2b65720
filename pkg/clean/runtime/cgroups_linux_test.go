// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"slices"
	"strings"
	"testing"
)

func FuzzCgroupRoot(f *testing.F) {
	f.Add("/kubelet")
	f.Add("/../../etc")
	f.Add("/a/./b//c")
	f.Fuzz(func(t *testing.T, given string) {
		for _, root := range podRoots(given) {
			if strings.HasPrefix(root, "/") || slices.Contains(strings.Split(root, "/"), "..") || !strings.Contains(root, "kubepods") {
				t.Errorf("pods' cgroups at %q", root)
			}
		}
	})
}
