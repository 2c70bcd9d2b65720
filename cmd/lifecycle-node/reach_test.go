// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// Which machine this is, is asked before anything else: behind a server that is dead it
// would never be known, and no operation would begin or end.
func TestWhatSaysWhichMachineThisIsIsReadFromItsOwnDisksOnly(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `mount -t tmpfs none /var/lib; mkdir -p /var/lib/kubelet `+dir+`/net; ln -s `+dir+`/net/pki /var/lib/kubelet/pki`)
		dead, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		hosttest.Must(t, err)
		defer func() { _ = dead.Close() }() // which ends a process that hangs there
		hosttest.Must(t, unix.Mount("dead", dir+"/net", "fuse.dead", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dead.Fd())))
		for name, read := range map[string]func() (string, error){
			"the kubelet's certificate": func() (string, error) { return kubeletName("/var/lib/kubelet/pki/kubelet-client-current.pem") },
			"a name":                    func() (string, error) { return trimmed("/var/lib/kubelet/pki/name") },
			"through a process":         func() (string, error) { return trimmed("/proc/self/root" + dir + "/net/name") },
		} {
			told := make(chan error, 1)
			go func() {
				_, err := read()
				told <- err
			}()
			select {
			case err := <-told:
				if !errors.Is(err, host.ErrRemote) || wayOut(err) == untouched {
					t.Errorf("%s: %v, hint %q", name, err, wayOut(err))
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: it hangs", name)
			}
		}
	})
}
