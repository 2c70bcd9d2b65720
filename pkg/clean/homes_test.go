// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"path/filepath"
	"testing"
)

func FuzzHomes(f *testing.F) {
	f.Add("root:x:0:0::/root:/bin/sh\na:x:4294967296:1::/home/a:/\nb:x:1:1::/:/")
	f.Add("x:::::/..")
	f.Fuzz(func(t *testing.T, passwd string) {
		for _, h := range homesIn(passwd) {
			if !filepath.IsAbs(h.path) || h.path == "/" || filepath.Clean(h.path) != h.path {
				t.Errorf("%q is no home", h.path)
			}
		}
	})
}
