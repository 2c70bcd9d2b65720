// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"testing"
)

func TestWithWhatAPathGoes(t *testing.T) {
	for path, want := range map[string]struct {
		with   string
		within bool
	}{
		"/var/lib/kubelet/pods/x/y":               {"/var/lib/kubelet/pods", true},
		"/var/lib/kubelet/plugins":                {"/var/lib/kubelet/plugins", false},
		"/var/lib/kubelet/plugins/a/../../pods/b": {"/var/lib/kubelet/pods", true},
		"/var/lib/kubelet/local-volumes/pv1":      {},
		"/var/lib/kubelet":                        {},
		"/var/lib/kubelet/podsX":                  {},
		"/var/lib/calico/data":                    {"/var/lib/calico", true},
		"/var/run/flannel/x":                      {"/run/flannel", true},
		"/etc/kubernetes/pki/own":                 {"/etc/kubernetes/pki", true},
		"/etc/kubernetes/audit":                   {},
		"/var/lib/etcd/member/snap":               {"/var/lib/etcd/member", true},
		"/var/lib/etcd/backup":                    {},
		"/srv/data":                               {},
		"/":                                       {},
		"":                                        {},
	} {
		if with, within := TakenWith(path); with != want.with || within != want.within {
			t.Errorf("%q: %q, %v", path, with, within)
		}
	}
}
