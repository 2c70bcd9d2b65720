// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
)

// levels is as deep as a tree may be.
const levels = 100_000

// nest makes directories in each other and returns the last one, open.
func nest(t *testing.T, dir, name string, depth int) int {
	t.Helper()
	at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	hosttest.Must(t, err)
	for range depth {
		hosttest.Must(t, unix.Mkdirat(at, name, 0o755))
		next, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		hosttest.Must(t, err)
		hosttest.Must(t, unix.Close(at))
		at = next
	}
	return at
}

// peak is the most memory that this process has used, in bytes.
func peak(t *testing.T) int64 {
	t.Helper()
	var used unix.Rusage
	hosttest.Must(t, unix.Getrusage(unix.RUSAGE_SELF, &used))
	return used.Maxrss << 10
}

func TestADeepTreeTakesLittleMemoryFewDescriptorsAndAShortError(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		precious(t, dir)
		hosttest.Must(t, os.MkdirAll(dir+kubelet+"/pods", 0o755))
		last := nest(t, dir+kubelet+"/pods", strings.Repeat("n", 20), levels)
		hosttest.Must(t, unix.Mkdirat(last, "v", 0o755))
		deepest := fmt.Sprintf("/proc/self/fd/%d/v", last)
		hosttest.Must(t, unix.Mount(dir+"/data", deepest, "", unix.MS_BIND, ""))
		hosttest.Must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 4096}))
		before := peak(t)

		err := local(dir).Remove(kubelet + "/pods")
		if !errors.Is(err, tree.ErrMounted) {
			t.Fatalf("got %v", err)
		}
		if n := len(err.Error()); n > 1024 {
			t.Errorf("the error has %d bytes: %.200s", n, err)
		}
		hosttest.Must(t, unix.Unmount(deepest, 0))
		hosttest.Must(t, unix.Close(last))
		hosttest.Must(t, local(dir).Remove(kubelet+"/pods"))
		if entries, err := os.ReadDir(dir + kubelet); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
		if used := peak(t) - before; used > 64<<20 {
			t.Errorf("it took %d MiB", used>>20)
		} else {
			t.Logf("it took %d MiB", used>>20)
		}
	})
}

func TestAWideTreeTakesLittleMemory(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		precious(t, dir)
		hosttest.Must(t, os.MkdirAll(dir+kubelet+"/pods/deep", 0o755))
		wide, err := unix.Open(dir+kubelet+"/pods", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		hosttest.Must(t, err)
		const files, directories = 300_000, 5_000
		for n := range files {
			hosttest.Must(t, unix.Mknodat(wide, fmt.Sprintf("a-file-with-a-long-name-%d", n), unix.S_IFREG|0o600, 0))
		}
		deep := nest(t, dir+kubelet+"/pods/deep", "d", 1000)
		for n := range directories {
			hosttest.Must(t, unix.Mkdirat(wide, fmt.Sprintf("d%d", n), 0o755))
			hosttest.Must(t, unix.Mkdirat(deep, fmt.Sprintf("d%d", n), 0o755))
		}
		hosttest.Must(t, errors.Join(unix.Close(wide), unix.Close(deep)))
		before := peak(t)
		hosttest.Must(t, local(dir).Remove(kubelet+"/pods"))
		if entries, err := os.ReadDir(dir + kubelet); err != nil || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
		if used := peak(t) - before; used > 32<<20 {
			t.Errorf("it took %d MiB", used>>20)
		}
	})
}

func TestManyThingsThatCannotBeRemovedAreOneShortError(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		precious(t, dir)
		hosttest.Script(t, `cd `+dir+kubelet+`; mkdir -p pods/a pods/z; touch pods/z/f; for n in $(seq 60); do mkdir -p "pods/m/$n"
mount --bind `+dir+`/data "pods/m/$n"; done`)
		err := local(dir).Remove(kubelet + "/pods")
		if !errors.Is(err, tree.ErrMounted) || len(err.Error()) > 2048 || !strings.Contains(err.Error(), "and 55 more below "+kubelet+"/pods") {
			t.Errorf("got %v", err)
		}
		if got := hosttest.Script(t, `ls `+dir+kubelet+`/pods; ls `+dir+kubelet+`/pods/m | wc -l`); got != "m\n60\n" {
			t.Errorf("left: %q", got)
		}
	})
}
