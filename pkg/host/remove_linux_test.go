// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"os"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
)

// precious is the data of others that every test has beside the kubelet's.
func precious(t *testing.T, dir string) {
	t.Helper()
	hosttest.Script(t, `mkdir -p `+dir+`/data `+dir+kubelet+`; echo precious > `+dir+`/data/file`)
	t.Cleanup(func() {
		if got, err := os.ReadFile(dir + "/data/file"); err != nil || string(got) != "precious\n" {
			t.Errorf("the data of others is %q, %v", got, err)
		}
	})
}

func TestRemoveNeverCrossesAMount(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		for name, mount := range map[string]string{
			"a bind mount of the same file system": `mount --bind data .` + kubelet + `/pods/x/v`,
			"a file bound over a file": `rmdir .` + kubelet + `/pods/x/v; touch .` + kubelet + `/pods/x/v; mount --bind data/file .` +
				kubelet + `/pods/x/v`,
			"another file system": `mount -t tmpfs tmpfs .` + kubelet + `/pods/x/v; mkdir .` + kubelet + `/pods/x/v/d; touch .` +
				kubelet + `/pods/x/v/d/f`,
			"a mount over a mount": `mount -t tmpfs tmpfs .` + kubelet + `/pods/x/v; mount --bind data .` + kubelet + `/pods/x/v`,
		} {
			t.Run(name, func(t *testing.T) {
				precious(t, dir)
				hosttest.Script(t, `cd `+dir+`; mkdir -p .`+kubelet+`/pods/x/v .`+kubelet+`/pods/y; touch .`+kubelet+`/pods/y/f; `+mount)
				err := local(dir).Remove(kubelet + "/pods")
				if !errors.Is(err, tree.ErrMounted) {
					t.Errorf("got %v", err)
				}
				if _, err := os.Stat(dir + kubelet + "/pods/y"); err == nil {
					t.Error("what is beside the mount stayed")
				}
				hosttest.Script(t, `cd `+dir+`; while umount .`+kubelet+`/pods/x/v 2>/dev/null; do :; done`)
				hosttest.Must(t, local(dir).Remove(kubelet+"/pods"))
			})
		}
	})
}

func TestRemoveTakesWhatIsThereAndNothingElse(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		for name, make := range map[string]string{
			"a symbolic link to a directory of others": `ln -s ` + dir + `/data pods`,
			"a symbolic link inside":                   `mkdir pods; ln -s ` + dir + `/data pods/link; ln -s ../../../../data pods/relative`,
			"a directory without permissions":          `mkdir -p pods/shut/in; touch pods/shut/in/f; chmod 000 pods/shut`,
			"a socket, a pipe and a device":            `mkdir pods; mkfifo pods/pipe; mknod pods/null c 1 3; mknod pods/loop b 7 0`,
			"a hard link to a file of others":          `mkdir pods; ln ` + dir + `/data/file pods/hard`,
			"odd names":                                `mkdir -p "pods/a b" "pods/-rf" "pods/$(printf 'x\ny')"; touch "pods/ "`,
			"nothing at all":                           `true`,
		} {
			t.Run(name, func(t *testing.T) {
				precious(t, dir)
				hosttest.Script(t, `cd `+dir+kubelet+`; `+make)
				hosttest.Must(t, local(dir).Remove(kubelet+"/pods"))
				if entries, err := os.ReadDir(dir + kubelet); err != nil || len(entries) > 0 {
					t.Errorf("left: %v, %v", entries, err)
				}
			})
		}
	})
}

func TestRemoveTakesImmutableFilesAndDirectories(t *testing.T) {
	dir := t.TempDir() // a tmpfs knows no attributes before Linux 6.6
	hosttest.Script(t, `mkdir -p `+dir+`/pods/d/e; touch `+dir+`/pods/f `+dir+`/pods/d/g; ln `+dir+`/pods/f `+dir+`/twin 2>/dev/null
rm `+dir+`/twin`)
	hosttest.Script(t, `chattr +i `+dir+`/pods/f `+dir+`/pods/d; chattr +a `+dir+`/pods`)
	t.Cleanup(func() { hosttest.Script(t, `chattr -R -ia `+dir+` 2>/dev/null || true`) })
	hosttest.Must(t, host.Local{}.Remove(dir+"/pods"))
}

func TestAnImmutableFileWithAnotherNameStays(t *testing.T) {
	dir := t.TempDir()
	hosttest.Script(t, `mkdir `+dir+`/pods; echo theirs > `+dir+`/theirs; ln `+dir+`/theirs `+dir+`/pods/f; chattr +i `+dir+`/theirs`)
	t.Cleanup(func() { hosttest.Script(t, `chattr -i `+dir+`/theirs`) })
	if err := (host.Local{}).Remove(dir + "/pods"); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestEmptyKeepsTheDirectoryAndTheNamesItIsTold(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		precious(t, dir)
		hosttest.Script(t, `cd `+dir+kubelet+`; mount -t tmpfs own .; cd `+dir+kubelet+`; mkdir -p pods/x pki; touch config.yaml`)
		hosttest.Must(t, local(dir).Empty(kubelet, "pki", "config.yaml"))
		if got := hosttest.Script(t, `ls `+dir+kubelet); got != "config.yaml\npki\n" {
			t.Errorf("left: %q", got)
		}
	})
}

func TestALinkOnTheWayMustNotLeadOutOfTheRoot(t *testing.T) {
	dir := t.TempDir()
	hosttest.Script(t, `mkdir -p `+dir+`/root/var `+dir+`/outside/kubelet; ln -s `+dir+`/outside `+dir+`/root/var/lib`)
	if err := (host.Local{Root: dir + "/root"}).Remove("/var/lib/kubelet"); err == nil {
		t.Error("it followed the link")
	}
	if _, err := os.Stat(dir + "/outside/kubelet"); err != nil {
		t.Error(err)
	}
}
