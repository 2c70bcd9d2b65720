// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"
)

func TestWhatCiliumWroteAboutSysctls(t *testing.T) {
	cilium := Overrides()[0]
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"as its program writes it", "# Disable\n-net.ipv4.conf.lxc*.rp_filter = 0\n\nnet.ipv4.conf.all.rp_filter = 0\n", true},
		{"with a line of a person's", "net.ipv4.conf.all.rp_filter = 0\nvm.swappiness=1\n", false},
		{"only comments", "# mine\n", false},
		{"nothing", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if cilium.Wrote([]byte(tc.text)) != tc.want {
				t.Errorf("want %v", tc.want)
			}
		})
	}
}

func TestWhatAKubeletWroteForLogind(t *testing.T) {
	kubelet := Overrides()[1]
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"as a kubelet writes it", "# Kubelet logind override\n[Login]\nInhibitDelayMaxSec=60\n", true},
		{"with a line of a person's", "[Login]\nInhibitDelayMaxSec=60\nKillUserProcesses=yes\n", false},
		{"of another section", "[Sleep]\nInhibitDelayMaxSec=60\n", false},
		{"nothing", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if kubelet.Wrote([]byte(tc.text)) != tc.want {
				t.Errorf("want %v", tc.want)
			}
		})
	}
}
