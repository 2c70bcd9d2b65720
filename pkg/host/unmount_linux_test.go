// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// kubelet is where the tests' kubelet has its state.
const kubelet = "/var/lib/kubelet"

func belowKubelet(m host.Mount) bool { return host.Below(m.Path, kubelet) }

func local(dir string) host.Local { return host.Local{Root: dir, Proc: "/proc/self"} }

// mountsBelow are the paths that are still mounted below the kubelet.
func mountsBelow(t *testing.T, l host.Local) []string {
	t.Helper()
	mounts, err := l.Mounts()
	hosttest.Must(t, err)
	var out []string
	for _, m := range mounts {
		if belowKubelet(m) {
			out = append(out, m.Path)
		}
	}
	return out
}

func unmountAll(t *testing.T, l host.Local) []string {
	t.Helper()
	var order []string
	err := l.UnmountAll(t.Context(), belowKubelet, func(m host.Mount) { order = append(order, m.Path) })
	hosttest.Must(t, err)
	if left := mountsBelow(t, l); len(left) > 0 {
		t.Errorf("still mounted: %q", left)
	}
	return order
}

func TestUnmountingACopyOfEtcLeavesTheMountsBelowTheOriginal(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p etc/sub .`+kubelet+`/pods/x/etc; echo original > resolv
			touch etc/resolv.conf; mount --bind resolv etc/resolv.conf
			mount -t tmpfs tmpfs etc/sub; echo precious > etc/sub/file
			mount --rbind etc .`+kubelet+`/pods/x/etc; mount --make-rshared .`+kubelet+`/pods/x/etc`)
		unmountAll(t, local(dir))
		for file, want := range map[string]string{"/etc/resolv.conf": "original\n", "/etc/sub/file": "precious\n"} {
			if got, err := os.ReadFile(dir + file); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v; want %q", file, got, err, want)
			}
		}
	})
}

func TestPlainUnmountingOfThatCopyWouldTakeThemAway(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p etc/sub copy; mount -t tmpfs tmpfs etc/sub; echo precious > etc/sub/file
			mount --rbind etc copy; umount copy/sub`)
		if _, err := os.Stat(dir + "/etc/sub/file"); err == nil {
			t.Error("the kernel no longer propagates: the test beside this one proves nothing")
		}
	})
}

func TestMountsOverMountsAndHiddenOnesAllGo(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p .`+kubelet+`/a/b .`+kubelet+`/c; k=.`+kubelet+`
			mount -t tmpfs one $k/a; mkdir $k/a/b; mount -t tmpfs two $k/a/b; mkdir $k/a/b/c; mount -t tmpfs three $k/a/b/c
			mount -t tmpfs over $k/a
			mount -t tmpfs x $k/c; mount -t tmpfs y $k/c; mount -t tmpfs z $k/c`)
		order := unmountAll(t, local(dir))
		if len(order) != 7 {
			t.Errorf("unmounted %d mounts: %q", len(order), order)
		}
	})
}

func TestPathsWithSpacesAndNewlinesAreUnmounted(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		at := dir + kubelet + "/a b\n\"c\\"
		hosttest.Must(t, os.MkdirAll(at, 0o755))
		hosttest.Must(t, unix.Mount("tmpfs", at, "tmpfs", 0, ""))
		unmountAll(t, local(dir))
	})
}

func TestASymlinkAtAMountpointIsNotFollowed(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p outside .`+kubelet+`; mount -t tmpfs tmpfs outside; touch outside/file
			ln -s ../../../outside .`+kubelet+`/link; mkdir .`+kubelet+`/real; mount --bind outside .`+kubelet+`/real`)
		unmountAll(t, local(dir))
		if _, err := os.Stat(dir + "/outside/file"); err != nil {
			t.Error(err)
		}
	})
}

func TestABusyMountNamesItsHolderAndTheOthersGo(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; for n in a b c; do mkdir -p .`+kubelet+`/$n; mount -t tmpfs tmpfs .`+kubelet+`/$n; done`)
		holder := exec.CommandContext(t.Context(), "tail", "-f", "log")
		holder.Dir = dir + kubelet + "/b"
		hosttest.Must(t, os.WriteFile(holder.Dir+"/log", nil, 0o600))
		out, err := holder.StdoutPipe()
		hosttest.Must(t, err)
		hosttest.Must(t, holder.Start())

		err = local(dir).UnmountAll(t.Context(), belowKubelet, func(host.Mount) {})
		var busy *host.BusyError
		if !errors.As(err, &busy) || !errors.Is(err, unix.EBUSY) {
			t.Fatalf("got %v", err)
		}
		if len(busy.Holders) != 1 || busy.Holders[0].PID != holder.Process.Pid || busy.Holders[0].Command != "tail" {
			t.Errorf("holders: %+v; want tail, pid %d", busy.Holders, holder.Process.Pid)
		}
		if want := "unmount " + kubelet + "/b: in use by tail (pid "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("it says %q", err)
		}
		if left := mountsBelow(t, local(dir)); len(left) != 1 {
			t.Errorf("mounted besides the busy one: %q", left)
		}
		hosttest.Must(t, holder.Process.Kill())
		_ = holder.Wait()
		_ = out.Close()
		unmountAll(t, local(dir))
	})
}

func TestAHolderIsFoundByOpenFileProgramAndMap(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p .`+kubelet+`/v; mount -t tmpfs tmpfs .`+kubelet+`/v; cp /bin/sleep .`+kubelet+`/v/nap
echo > .`+kubelet+`/v/log`)
		l := local(dir)
		mounts, err := l.Mounts()
		hosttest.Must(t, err)
		mount := mounts[len(mounts)-1]
		// The same path in another namespace is another file.
		stranger := exec.CommandContext(t.Context(), dir+kubelet+"/v/nap", "1000")
		stranger.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		hosttest.Must(t, stranger.Start())
		t.Cleanup(func() { _ = stranger.Process.Kill() })
		program := exec.CommandContext(t.Context(), dir+kubelet+"/v/nap", "1000")
		hosttest.Must(t, program.Start())
		t.Cleanup(func() { _ = program.Process.Kill() })
		log, err := os.Open(dir + kubelet + "/v/log")
		hosttest.Must(t, err)
		reader := exec.CommandContext(t.Context(), "sleep", "1000")
		reader.ExtraFiles = []*os.File{log}
		hosttest.Must(t, reader.Start())
		t.Cleanup(func() { _ = reader.Process.Kill() })
		hosttest.Must(t, log.Close())
		how := map[int]string{}
		holders, _ := l.Holders(mount)
		for _, h := range holders {
			how[h.PID] = h.How
		}
		if how[program.Process.Pid] != "program" || !strings.HasPrefix(how[reader.Process.Pid], "open file ") || len(how) != 2 {
			t.Errorf("holders: %v; want program %d and reader %d", how, program.Process.Pid, reader.Process.Pid)
		}
	})
}

func TestAHundredMountsTakeNoTime(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; for n in $(seq 100); do mkdir -p .`+kubelet+`/$n; mount -t tmpfs tmpfs .`+kubelet+`/$n; done`)
		unmountAll(t, local(dir))
	})
}

func TestAFileSystemWhoseServerNeverAnswersIsNotWaitedFor(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p .`+kubelet+`/dead .`+kubelet+`/tmp; mount -t tmpfs tmpfs .`+kubelet+`/tmp`)
		host.DeadFUSE(t, dir+kubelet+"/dead")
		begin := time.Now()
		unmountAll(t, local(dir))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
