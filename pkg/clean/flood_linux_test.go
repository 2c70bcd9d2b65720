// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// A home belongs to its user, who may have as many files there as there is room for. The
// search ends, takes little memory, and says that it has not seen all.
func TestAHomeWithoutEndOfFilesIsNotReadWhole(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p home/ann/.kube; echo 'ann:x:1000:1000::/home/ann:/bin/sh' > etc/passwd; chown -R 1000 home/ann")
		const files = 120_000
		name := strings.Repeat("x", 200)
		for i := range files {
			hosttest.Must(w.T, os.Link(w.dir+"/srv/data/file", w.dir+"/home/ann/.kube/"+name+strconv.Itoa(i)))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		inv := w.survey()
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		found := false
		for _, it := range inv.With(inventory.Stays) {
			found = found || strings.HasPrefix(it.Name, "/home/ann") && strings.Contains(it.Refers, "not looked at")
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); !found || grown > 48<<20 { // of 64 MiB that are promised
			w.Errorf("named %v, %d MiB, %s", found, grown>>20, took)
		}
	})
}
