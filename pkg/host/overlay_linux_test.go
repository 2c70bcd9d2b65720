// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestACopiedDirectoryOfAnOverlayIsKnown(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p lower/etc/old/sub lower/etc/untouched upper work root
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root; cd root/etc
touch old/file; mkdir new new/sub; mkdir old/sub/made; rmdir untouched; mkdir untouched`)
		begun := time.Now().Add(-time.Minute)
		on := local(dir + "/root")
		for path, want := range map[string]bool{
			"/etc/old":       true, // copied for the file in it
			"/etc/old/sub":   true,
			"/etc":           true,
			"/etc/new":       false,
			"/etc/new/sub":   false,
			"/etc/untouched": false, // the one of the lower layer is gone for good
			"/etc/missing":   false,
		} {
			if got, err := on.Copied(path); err != nil || got != want {
				t.Errorf("%s: %v, %v", path, got, err)
			}
		}
		// What makes the question necessary: the copy is as young as its first file.
		if born, err := on.Born("/etc/old"); err != nil || born.Before(begun) {
			t.Errorf("born %s, %v", born, err)
		}
		if got, err := local(dir).Copied("/lower/etc/old"); err != nil || got {
			t.Errorf("on an ordinary file system: %v, %v", got, err)
		}
	})
}
