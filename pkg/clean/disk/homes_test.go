// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"path/filepath"
	"slices"
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

func TestTheSystemsOwnDirectoriesAreNoHomes(t *testing.T) {
	const passwd = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\nbin:x:2:2::/bin:/x\nsys:x:3:3::/dev:/x\n" +
		"games:x:5:60::/usr/games:/x\nsshd:x:100:65534::/run/sshd:/x\nann:x:1000:1000::/home/ann:/bin/sh\nuser:x:1001:1001::/users/u:/bin/sh\n"
	var got []string
	for _, h := range homesIn(passwd) {
		got = append(got, h.Path)
	}
	if want := []string{"/home/ann", "/root", "/users/u"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
