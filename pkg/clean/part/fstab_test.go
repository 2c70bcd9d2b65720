// SPDX-License-Identifier: Apache-2.0

package part

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMountpointsOfFstabAndUnits(t *testing.T) {
	got := Mountpoints("# x /no\nUUID=1 / ext4\n/srv/a\t/var/lib/kubelet/a\\040b/  none bind\nshort\nnone swap swap\nx relative none\nx " +
		"/t\\011\\134 none\n")
	if diff := cmp.Diff([]string{"/", "/var/lib/kubelet/a b", "/t\t\\"}, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{"[Mount]\nWhat=x\nWhere = /a/b/\n": "/a/b", "[Automount]\nWhere=/c": "/c",
		"[Mount]\nWhere=c": "", "": ""} {
		if got := WhereOf(text); got != want {
			t.Errorf("%q gives %q", text, got)
		}
	}
}
