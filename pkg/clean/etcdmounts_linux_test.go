// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/etcd/etcdtest"
)

// An administrator gives etcd a disk for its data, for its log, or for both, and people keep
// snapshots there: what etcd has made goes once its member has left, all else stays, and so
// does what is mounted.
func TestWhereEtcdsDataIsAMountOnlyWhatEtcdHasMadeGoes(t *testing.T) {
	const etcd = "var/lib/etcd"
	disk := func(at string) string { return "mkdir -p " + at + "; mount -t tmpfs disk " + at + "\n" }
	bind := func(at string) string {
		return "mkdir -p " + at + " srv/shared; mount --bind srv/shared " + at + "; echo precious > srv/shared/theirs\n"
	}
	for name, tc := range map[string]struct {
		before string // the join
		after  string
		// left are the files below etcd's directory, at are the mountpoints there, named what is named.
		left, at, named string
		state           inventory.State
	}{
		"no mount": {"", "echo precious > " + etcd + "/snapshot.db", "/snapshot.db", "", "/snapshot.db", inventory.Clean},
		"its directory": {disk(etcd), "echo precious > " + etcd + "/snapshot.db; mkdir " + etcd + "/backups; echo precious > " + etcd +
			"/backups/1.db", "/backups/1.db /snapshot.db", "/", "/backups /snapshot.db", inventory.Clean},
		"its directory, which is all etcd's":  {disk(etcd), "", "", "/", "", inventory.Clean},
		"its directory, of another directory": {bind(etcd), "", "/theirs", "/", "/theirs", inventory.Clean},
		"its member":                          {disk(etcd + "/member"), "", "", "/member", "/member", inventory.Clean},
		"its member, with something of a person's": {disk(etcd + "/member"), "echo precious > " + etcd + "/member/theirs", "/member/theirs",
			"/member", "/member /member/theirs", inventory.Clean},
		"its member, of another directory": {bind(etcd + "/member"), "", "/member/theirs", "/member", "/member /member/theirs",
			inventory.Clean},
		"its log": {disk(etcd + "/member/wal"), "echo precious > " + etcd + "/member/wal/notes", "/member/wal/notes", "/member/wal",
			"/member /member/wal /member/wal/notes", inventory.Clean},
		"its snapshots": {disk(etcd + "/member/snap"), "echo precious > " + etcd + "/member/snap/copy.db", "/member/snap/copy.db", "/member/snap",
			"/member /member/snap /member/snap/copy.db", inventory.Clean},
		"each": {disk(etcd) + disk(etcd+"/member") + disk(etcd+"/member/wal"), "echo precious > " + etcd + "/snapshot.db", "/snapshot.db",
			"/ /member /member/wal", "/member /member/wal /snapshot.db", inventory.Clean},
		"a person's below its member": {bind(etcd + "/member/own"), "", "/member/own/theirs", "/member/own", "/member /member/own",
			inventory.Clean},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.before + "born; old")
				cluster := etcdtest.Serve(w.T, "cp1", "cp2", "cp3")
				w.joinAsControlPlane(cluster, "cp1")
				w.script(`d=` + etcd + `/member; mkdir -p $d/snap $d/wal; touch $d/snap/db $d/snap/0000000000000002-0000000000002711.snap
touch $d/wal/0000000000000000-0000000000000000.wal $d/wal/0.tmp
` + tc.after)
				verdict := w.remove()
				if want := []string{"leader cp3", "remove cp1 through cp3"}; !slices.Equal(cluster.Asked(), want) {
					w.Errorf("asked %v", cluster.Asked())
				}
				relative := func(list string) string {
					var out []string
					for line := range strings.Lines(list) {
						out = append(out, "/"+strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "/mnt/"+etcd), "/"))
					}
					return strings.Join(out, " ")
				}
				got := relative(w.script("[ ! -d " + etcd + " ] || find /mnt/" + etcd + " -type f | sort"))
				if diff := cmp.Diff(tc.left, got); diff != "" {
					w.Errorf("left (-want +got):\n%s", diff)
				}
				if got := relative(w.script("cut -d' ' -f5 /proc/self/mountinfo | grep /mnt/" + etcd + " | sort || true")); got != tc.at {
					w.Errorf("mounted %q, want %q", got, tc.at)
				}
				var named []string
				for _, it := range w.survey().With(inventory.Stays) {
					if rest, is := strings.CutPrefix(it.Name, "/"+etcd); is && it.Kind != inventory.KindMount {
						named = append(named, rest)
					}
				}
				slices.Sort(named)
				if diff := cmp.Diff(tc.named, strings.Join(named, " ")); diff != "" || verdict.State != tc.state || len(verdict.Lost) > 0 {
					w.Errorf("verdict %s, but %v, remaining %v, lost %v; named (-want +got):\n%s", verdict.State, names(verdict.But),
						names(verdict.Remaining), verdict.Lost, diff)
				}
				for path := range strings.FieldsSeq(tc.left) {
					if w.script("cat "+etcd+path) != precious {
						w.Errorf("%s is not what it was", path)
					}
				}
			})
		})
	}
}

// A server's file system is not looked at, since that may hang: what is there stays, and is said
// not to have been looked at.
func TestEtcdsDataOnAnotherMachineStaysAndIsNamed(t *testing.T) {
	for _, at := range []string{"/var/lib/etcd", "/var/lib/etcd/member", "/var/lib/etcd/member/wal"} {
		t.Run(strings.ReplaceAll(at, "/", " "), func(t *testing.T) {
			inWorld(t, func(w *world) {
				cluster := etcdtest.Serve(w.T, "cp1", "cp2")
				w.joinAsControlPlane(cluster, "cp1")
				served := w.live(at)
				verdict := w.remove()
				named := slices.ContainsFunc(verdict.But, func(it inventory.Item) bool { return it.Name == at && it.Unseen() })
				if verdict.State != inventory.CleanBut || !named || served.changed() > 0 {
					w.Errorf("asked to change %d; verdict %+v", served.changed(), verdict)
				}
				w.script("umount ." + at)
			})
		})
	}
}
