// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import "testing"

func TestProgramsAreFoundWhereverAnInstallerPutThem(t *testing.T) {
	const all = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"
	for name, c := range map[string]struct{ given, want string }{
		"sudo of Red Hat's":         {"/sbin:/bin:/usr/sbin:/usr/bin", all},
		"nothing":                   {"", all},
		"a place of one's own":      {"/bin:/opt/k8s/bin:/bin", all + ":/opt/k8s/bin"},
		"where this program is run": {".::bin:/srv/bin", all + ":/srv/bin"},
	} {
		if got := searchPath(c.given); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
