// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func TestUnmountOrder(t *testing.T) {
	for _, tc := range []struct {
		name   string
		mounts []host.Mount
		want   []int
	}{
		{"what is mounted on a mount goes before it", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/k/a"}, {ID: 3, Parent: 2, Path: "/k/a/b"},
		}, []int{3, 2}},
		{"an id says nothing, since the lowest free one is used again", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 9, Parent: 1, Path: "/k/a"}, {ID: 2, Parent: 9, Path: "/k/a/b"},
		}, []int{2, 9}},
		{"of mounts at one place the upper one goes first", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 5, Parent: 1, Path: "/k/a"}, {ID: 4, Parent: 5, Path: "/k/a"},
		}, []int{4, 5}},
		{"a mount that hides another goes before the hidden one", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/k/a/b"}, {ID: 3, Parent: 1, Path: "/k/a"},
		}, []int{3, 2}},
		{"what is not ours stays, and what is ours below it goes", []host.Mount{
			{ID: 1, Path: "/"}, {ID: 2, Parent: 1, Path: "/other"}, {ID: 3, Parent: 2, Path: "/k/x"},
		}, []int{3}},
		{"a mount that is its own parent does not loop", []host.Mount{{ID: 1, Parent: 1, Path: "/k/a"}}, []int{1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []int
			for _, m := range host.UnmountOrder(tc.mounts, func(m host.Mount) bool { return host.Below(m.Path, "/k") }) {
				got = append(got, m.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClass(t *testing.T) {
	for _, tc := range []struct {
		name  string
		mount host.Mount
		want  host.Class
	}{
		{"a secret's tmpfs is memory", host.Mount{FSType: "tmpfs", Root: "/"}, host.Memory},
		{"a directory of a tmpfs is someone's", host.Mount{FSType: "tmpfs", Root: "/x"}, host.Bind},
		{"a volume's disk is a disk", host.Mount{FSType: "ext4", Root: "/"}, host.Disk},
		{"a directory of the host's disk is a bind mount", host.Mount{FSType: "ext4", Root: "/etc"}, host.Bind},
		{"a directory of a container's root is a bind mount", host.Mount{FSType: "overlay", Root: "/etc"}, host.Bind},
		{"a container's root is of no interest", host.Mount{FSType: "overlay", Root: "/"}, host.Pseudo},
		{"NFS may hang", host.Mount{FSType: "nfs4", Root: "/"}, host.Remote},
		{"a FUSE of any kind may hang", host.Mount{FSType: "fuse.sshfs", Root: "/"}, host.Remote},
		{"a network namespace is the kernel's", host.Mount{FSType: "nsfs", Root: "net:[4026532000]"}, host.Pseudo},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.mount.Class(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
