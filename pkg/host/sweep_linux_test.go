// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// Many mounts are unmounted without waiting for each; those among them that need
// care get it, and one that is in use stops nothing but itself.
func TestAmongManyMountsEachIsToldOfOnce(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; k=.`+kubelet+`; mkdir -p outside/below; mount -t tmpfs kept outside/below; echo kept > outside/below/file
			for n in $(seq 100); do mkdir -p $k/$n; mount -t tmpfs t$n $k/$n; done
			mkdir $k/7/on; mount -t tmpfs on $k/7/on; mount -t tmpfs over $k/8
			mkdir -p $k/copy; mount --rbind outside $k/copy; mount --make-rshared $k/copy`)
		used, err := os.Create(dir + kubelet + "/50/file")
		hosttest.Must(t, err)

		told := map[string]int{}
		err = local(dir).UnmountAll(t.Context(), belowKubelet, func(m host.Mount) { told[m.Path+" "+m.Source]++ })
		if busy := (*host.BusyError)(nil); !errors.As(err, &busy) || busy.Mount.Path != kubelet+"/50" {
			t.Errorf("got %v, want that %s/50 is in use", err, kubelet)
		}
		if left := mountsBelow(t, local(dir)); !slices.Equal(left, []string{kubelet + "/50"}) {
			t.Errorf("still mounted: %q", left)
		}
		for n := range 100 {
			path, want := fmt.Sprintf("%s/%d t%d", kubelet, n+1, n+1), 1
			if n+1 == 50 {
				want = 0
			}
			if told[path] != want {
				t.Errorf("%s was told of %d times, want %d", path, told[path], want)
			}
		}
		if len(told) != 99+2+2 { // on, over, copy and what is mounted below it
			t.Errorf("told of %d mounts: %v", len(told), told)
		}
		if _, err := os.Stat(dir + "/outside/below/file"); err != nil {
			t.Errorf("the original of a copy was unmounted: %v", err)
		}
		hosttest.Must(t, used.Close())
		if got := unmountAll(t, local(dir)); len(got) != 1 {
			t.Errorf("then unmounted %q", got)
		}
	})
}
