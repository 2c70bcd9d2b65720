// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestAMountIsNamedIfAPodMayHaveMadeIt(t *testing.T) {
	for name, tc := range map[string]struct {
		m    mounted
		want string
	}{
		"where a pod could mount, since the join":  {mounted{pod: "ns/a", age: younger}, "pod ns/a could mount there"},
		"where a pod could mount, before the join": {mounted{pod: "ns/a", age: older, dead: true}, ""},
		"where a pod could mount, nothing tells when": {mounted{pod: "ns/a"},
			"pod ns/a could mount there, and nothing tells since when it is there"},
		"where a pod was given much more than its own": {mounted{pod: "ns/a", all: "/", age: younger},
			"pod ns/a, which was given all of /, could mount there"},
		"an administrator's":              {mounted{age: younger}, ""},
		"of layers of the runtime's":      {mounted{layered: true}, "it is a container's file system, and keeps its layers in use"},
		"of layers, from before the join": {mounted{layered: true, age: older}, ""},
		"dead, nothing tells when":        {mounted{dead: true}, ""},
		"dead, since the join": {mounted{dead: true, age: younger},
			"the program that serves it is gone, and whatever looks at it fails"},
	} {
		if got := tc.m.refers(); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWhereTheBootTheRuntimesAndAKubeletMountIsNoPodsMount(t *testing.T) {
	for path, want := range map[string]bool{
		"/run/kubevirt": true, "/srv": true, "/run/lock": true, "/var/lib/dockerx": true, "/": false, "/proc/sys/fs/binfmt_misc": false,
		"/sys/fs/bpf": false, "/dev/shm": false, "/run/user/1000": false, "/run/netns/cni-1": false, "/run/docker/netns/x": false,
		"/var/lib/docker/overlay2/x/merged": false, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs": false,
		"/data/kubelet/pods/0a1b2c3d-1111-2222-3333-444455556666/volumes/x": false, "/snap/core/1": false,
	} {
		if got := candidate(host.Mount{Path: path, Root: "/", FSType: "tmpfs"}); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestAContainersFileSystemIsKnownByItsLayers(t *testing.T) {
	const snapshots = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots"
	for options, want := range map[string]bool{
		"rw,lowerdir=" + snapshots + "/1/fs,upperdir=/x,workdir=/y":             true,
		"rw,lowerdir=/usr:" + snapshots + "/1/fs":                               true,
		"rw,lowerdir=12/fs:11/fs,upperdir=" + snapshots + "/2/fs":               true, // containerd shortens what is too long
		"rw,lowerdir+=/data/containerd/snapshots/1/fs":                          true, // the new mount API of Linux 6.8
		"rw,lowerdir=/usr,upperdir=/var/lib/containerdx/1,workdir=" + snapshots: false,
		"rw,lowerdir=/usr": false, "": false,
	} {
		if got := layered(host.Mount{FSType: "overlay", Options: options}, "/data/containerd"); got != want {
			t.Errorf("%s: %v", options, got)
		}
	}
}

func TestWhatSystemdSaysOfMountsIsRead(t *testing.T) {
	got := appeared("Id=basic.target\nActiveEnterTimestampMonotonic=7000000\n\nWhere=/a b\nId=a\\x20b.mount\n" +
		"ActiveEnterTimestampMonotonic=9\n\nWhere=/none\nActiveEnterTimestampMonotonic=0\n\nWhere=/junk\n" +
		"ActiveEnterTimestampMonotonic=-1\n\nWhere=/large\nActiveEnterTimestampMonotonic=99999999999999999999\n\n" +
		"Where=/larger\nActiveEnterTimestampMonotonic=9223372036854775807\n\nId=other.target\nActiveEnterTimestampMonotonic=5\n")
	if diff := cmp.Diff(map[string]time.Duration{"basic.target": 7 * time.Second, "/a b": 9 * time.Microsecond}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
