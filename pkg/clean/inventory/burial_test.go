// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestADeadHostsMemberIsToldFromAllOthers(t *testing.T) {
	const silent = "does not answer"
	member := func(name, ip, trouble string) EtcdMember {
		return EtcdMember{ID: name + "1", Name: name, URL: "https://" + ip + ":2379", Trouble: trouble}
	}
	learner := member("l", "192.0.2.9", silent)
	learner.Learner = true
	three := []EtcdMember{member("a", "192.0.2.1", ""), member("b", "192.0.2.2", ""), member("c", "192.0.2.3", silent)}
	for name, tc := range map[string]struct {
		members []EtcdMember
		host    string
		ip      string
		want    string
		refusal string
	}{
		"by its name and address":     {three, "c", "192.0.2.3", "c", ""},
		"by its name alone":           {three, "c", "192.0.2.77", "c", ""},
		"by its address alone":        {three, "x", "192.0.2.3", "c", ""},
		"it has left already":         {three[:2], "c", "192.0.2.3", "", ""},
		"it lives":                    {three, "b", "192.0.2.2", "", "b is not dead: its etcd member answers"},
		"name and address differ":     {three, "c", "192.0.2.2", "", "could both be that of c"},
		"it is that of who was asked": {three, "a", "192.0.2.1", "", "is that of the host that was asked"},
		"two of three are dead": {[]EtcdMember{three[0], member("b", "192.0.2.2", silent), three[2]}, "c", "192.0.2.3", "",
			"no quorum: 1 of 3"},
		"one of two is dead":             {[]EtcdMember{three[0], three[2]}, "c", "192.0.2.3", "", "no quorum: 1 of 2"},
		"a learner counts for nothing":   {[]EtcdMember{three[0], three[1], learner}, "l", "192.0.2.9", "l", ""},
		"a learner is not a vote to ask": {[]EtcdMember{three[0], three[2], learner}, "c", "192.0.2.3", "", "no quorum: 1 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Etcd{Cluster: "1", Self: "a1", Members: tc.members}.Burial(Burial{Host: tc.host, Addresses: []string{tc.ip}})
			switch {
			case tc.refusal != "":
				if got != nil || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.refusal) {
					t.Errorf("got %v, %v", got, err)
				}
			case err != nil, tc.want == "" && got != nil, tc.want != "" && (got == nil || got.Name != tc.want):
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
