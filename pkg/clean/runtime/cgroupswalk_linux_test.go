// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// nest makes directories, each in the one before, and returns a descriptor of the
// innermost.
func nest(t *testing.T, dir string, levels int) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	hosttest.Must(t, err)
	for range levels {
		hosttest.Must(t, unix.Mkdirat(fd, "d", 0o755))
		next, err := unix.Openat(fd, "d", unix.O_DIRECTORY|unix.O_RDONLY, 0)
		hosttest.Must(t, errors.Join(err, unix.Close(fd)))
		fd = next
	}
	return fd
}

// A pod that may divide its cgroup decides what a removal finds there.
func TestATreeOfCgroupsOfAnyShapeIsReadAndRemoved(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		for name, plant := range map[string]func(top string){
			"nothing in it": func(string) {},
			"a pod or two": func(top string) {
				hosttest.Script(t, "mkdir -p "+top+"/pod1/a/b "+top+"/pod2; echo 5 > "+top+"/pod1/a/cgroup.procs")
			},
			"one in the other, beyond the longest path": func(top string) { hosttest.Must(t, unix.Close(nest(t, top, 20_000))) },
			"thousands side by side": func(top string) {
				for i := range 5000 {
					hosttest.Must(t, os.Mkdir(fmt.Sprintf("%s/%d", top, i), 0o755))
				}
			},
			"a link to elsewhere": func(top string) {
				hosttest.Script(t, "mkdir "+top+"/pod; rm -rf "+dir+"/else; mkdir "+dir+"/else; echo 7 > "+dir+"/else/cgroup.procs")
			},
		} {
			top := filepath.Join(dir, "kubepods")
			hosttest.Must(t, os.Mkdir(top, 0o755))
			plant(top)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			seen, longest := 0, 0
			w := cgroupWalk{root: top, enter: func(_ int, path string) (bool, error) {
				seen, longest = seen+1, max(longest, len(path))
				return true, nil
			}}
			err := w.run()
			runtime.ReadMemStats(&after)
			if err != nil || seen == 0 || longest > 200 {
				t.Errorf("%s: %d seen, the longest name has %d bytes, %v", name, seen, longest, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
				t.Errorf("%s: it takes %d MiB", name, used>>20)
			}
			hosttest.Script(t, "find "+top+" -maxdepth 5 -type f -delete") // of which there are none in real ones
			if err := removeTree(top); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := os.Lstat(top); err == nil {
				t.Errorf("%s: it is still there", name)
				hosttest.Script(t, "rm -rf "+top)
			}
		}
	})
}

func TestMoreCgroupsThanAnybodyLooksAtAreSaidToBe(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, "mkdir "+dir+"/kubepods")
		fd := nest(t, dir+"/kubepods", 300)
		hosttest.Must(t, unix.Close(fd))
		w := cgroupWalk{root: dir + "/kubepods", seen: mostCgroups - 100}
		if err := w.run(); !errors.Is(err, errTooMany) {
			t.Errorf("got %v", err)
		}
	})
}

// What vanishes while it is looked at is no error, and hides nothing of the rest.
func TestACgroupThatVanishesWhileItIsReadHidesNothing(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, "mkdir -p "+dir+"/k/a/1/2/3 "+dir+"/k/b/1 "+dir+"/k/c")
		var seen []string
		w := cgroupWalk{root: dir + "/k", enter: func(_ int, path string) (bool, error) {
			seen = append(seen, filepath.Base(path))
			if filepath.Base(path) == "3" {
				hosttest.Script(t, "rm -r "+dir+"/k/a")
			}
			return true, nil
		}}
		if err := w.run(); err != nil || len(seen) != 8 {
			t.Errorf("seen %v, %v", seen, err)
		}
	})
}

// A fork bomb in a pod, with a cgroup of its own to hide in, in a real hierarchy.
func TestProcessesThatMultiplyAreEnded(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		all := t.TempDir()
		mine := fmt.Sprintf("%s/lifecycle-bomb-%d", all, time.Now().UnixNano())
		top := dir + "/sys/fs/cgroup"
		hosttest.Script(t, "mount -t cgroup2 none "+all+"; mkdir -p "+mine+" "+top+"; mount --bind "+mine+" "+top+"; mkdir -p "+
			""+top+"/kubepods/pod1/deep")
		t.Cleanup(func() { hosttest.Script(t, "umount "+top+"; rmdir "+mine+"; umount "+all) })
		_ = os.WriteFile(top+"/cgroup.subtree_control", []byte("+pids"), 0o600) // or it is bounded by the script
		bomb := exec.Command("sh", "-c", `read go; for i in $(seq 80); do sh -c 'for i in $(seq 200); do sleep 1 & sleep 0.2; wait; done' & done
wait`)
		bomb.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		open, err := bomb.StdinPipe()
		hosttest.Must(t, err)
		hosttest.Must(t, bomb.Start())
		t.Cleanup(func() { _ = bomb.Wait() })
		hosttest.Must(t, os.WriteFile(top+"/kubepods/pod1/deep/cgroup.procs", []byte(fmt.Sprint(bomb.Process.Pid)), 0o600))
		_, err = open.Write([]byte("\n"))
		hosttest.Must(t, err)
		target := Runtime{Host: part.Host{Local: host.Local{Root: dir}}}
		for pids := 0; pids < mostTold+20; {
			found, err := target.podProcesses()
			hosttest.Must(t, err)
			pids = len(found)
		}
		told := 0
		if err := target.killProcesses(t.Context(), func(string, ...any) { told++ }); err != nil {
			t.Error(err)
		}
		left, err := target.podProcesses()
		if err != nil || len(left) > 0 || told > mostTold {
			t.Errorf("left %d, %v; %d were named", len(left), err, told)
		}
		if err := removeTree(top + "/kubepods"); err != nil {
			t.Error(err)
		}
	})
}

func FuzzShimArguments(f *testing.F) {
	f.Add([]byte("containerd-shim-runc-v2\x00-namespace\x00k8s.io\x00-id\x00a\x00-address\x00/run/c.sock\x00"), "/run/c.sock")
	f.Add([]byte("-id\x00-namespace\x00k8s.io"), "")
	f.Fuzz(func(t *testing.T, cmdline []byte, socket string) {
		id := shimArguments(cmdline, socket)
		if id != "" && (!strings.Contains(string(cmdline), "k8s.io") || !strings.Contains(string(cmdline), "\x00"+id)) {
			t.Errorf("%q is a shim of %q", cmdline, id)
		}
	})
}
