// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"
	"time"
)

func TestPodOfCgroup(t *testing.T) {
	const id = "07dfd327e552f4b0f8ca1f55768773749a6fe60475fdc6c5dd07660561dd5dc0"
	for _, tc := range []struct{ name, cgroup, pod, container string }{
		{"systemd's driver", "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/" +
			"kubelet-kubepods-besteffort-pod367ab903_f6f9_43bf_97d3_db40924d030f.slice/cri-containerd-" + id + ".scope",
			"367ab903-f6f9-43bf-97d3-db40924d030f", id},
		{"the cgroupfs driver", "4:memory:/kubepods/burstable/pod367ab903-f6f9-43bf-97d3-db40924d030f/" + id,
			"367ab903-f6f9-43bf-97d3-db40924d030f", id},
		{"a static pod, whose uid is a hash", "0::/kubepods.slice/kubepods-podd41d8cd98f00b204e9800998ecf8427e.slice/crio-" + id + ".scope",
			"d41d8cd98f00b204e9800998ecf8427e", id},
		{"a container of Docker's is no pod", "0::/docker/" + id, "", ""},
		{"a service of the host", "0::/system.slice/ssh.service", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if pod, container := podOfCgroup(tc.cgroup); pod != tc.pod || container != tc.container {
				t.Errorf("got pod %q, container %q", pod, container)
			}
		})
	}
}

func TestASearchWithoutTimeEndsAndSaysSo(t *testing.T) {
	if late := (&search{deadline: time.Now().Add(-time.Second)}); late.goesOn() || !late.cut {
		t.Error("it goes on")
	}
	if early := (&search{deadline: time.Now().Add(time.Hour)}); !early.goesOn() || early.cut {
		t.Error("it ends")
	}
}
