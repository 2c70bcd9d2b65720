// SPDX-License-Identifier: Apache-2.0

package part

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestWhatAPodWasGivenIsShownWhereverItsFileSystemIs(t *testing.T) {
	mounts := func(lines ...string) (out []host.Mount) { // PATH DEVICE ROOT
		for _, line := range lines {
			words := strings.Fields(line)
			out = append(out, host.Mount{Path: words[0], Device: words[1], Root: words[2]})
		}
		return out
	}
	for name, tc := range map[string]struct {
		path   string
		mounts []host.Mount
		want   string
	}{
		"a directory of the only disk": {"/etc/x", mounts("/ 8:1 /"), "/etc/x"},
		"a local volume that is bound": {"/var/lib/kubelet/pods/u/v", mounts("/ 8:1 /", "/var/lib/kubelet/pods/u/v 8:1 /srv/data"),
			"/var/lib/kubelet/pods/u/v /srv/data"},
		"a whole disk that is bound": {"/var/lib/kubelet/pods/u/v", mounts("/ 8:1 /", "/mnt/ssd 8:17 /", "/var/lib/kubelet/pods/u/v 8:17 /"),
			"/var/lib/kubelet/pods/u/v /mnt/ssd"},
		"a directory of a subvolume": {"/srv/data", mounts("/ 0:45 /@", "/mnt/top 0:45 /"), "/srv/data /mnt/top/@/srv/data"},
		"the top of a file system whose subvolume the root is": {"/mnt/top", mounts("/ 0:45 /@", "/mnt/top 0:45 /", "/home 0:45 /@home"),
			"/mnt/top / /home"},
		"a subvolume beside":        {"/home/x", mounts("/ 0:45 /@", "/home 0:45 /@home"), "/home/x"},
		"another disk of that root": {"/data/x", mounts("/ 8:1 /", "/data 8:2 /", "/x 8:1 /x"), "/data/x"},
		"a directory that another mount hides": {"/mnt/top/@/srv/data", mounts("/ 0:45 /@", "/mnt/top 0:45 /", "/srv 8:2 /"),
			"/mnt/top/@/srv/data"},
		"below what is bound": {"/data/a/b", mounts("/ 8:1 /", "/data 8:1 /etc"), "/data/a/b /etc/a/b"},
		"all of it":           {"/", mounts("/ 8:1 /", "/data 8:1 /etc"), "/"},
		"nothing is mounted":  {"/x", nil, "/x"},
	} {
		got := Shown(tc.path, tc.mounts)
		if !slices.Equal(got, strings.Fields(tc.want)) {
			t.Errorf("%s: %v, want %s", name, got, tc.want)
		}
	}
}
