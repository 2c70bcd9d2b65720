// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"path/filepath"
	"testing"
)

func FuzzHomes(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\na:x:4294967296:1::/home/a:/\nb:x:1:1::/:/")
	f.Add("x:::::/..")
	f.Fuzz(func(t *testing.T, passwd string) {
		for _, h := range homesIn(passwd) {
			if !filepath.IsAbs(h.Path) || h.Path == "/" || filepath.Clean(h.Path) != h.Path {
				t.Errorf("%q is no home", h.Path)
			}
		}
	})
}
