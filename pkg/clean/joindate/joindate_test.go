// SPDX-License-Identifier: Apache-2.0

package joindate

import (
	"strings"
	"testing"
	"time"
)

func day(n int, more time.Duration) time.Time {
	return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC).Add(more)
}

// born are files that were written when they were made.
func born(births ...time.Time) (out []File) {
	names := []string{"config.yaml", "kubeadm-flags.env", "kubelet.conf", "ca.crt"}
	for i, at := range births {
		out = append(out, File{Path: names[i], Born: at, Written: at, Place: day(1, 0)})
	}
	return out
}

func TestAJoinIsDatedByTwoFilesThatAgree(t *testing.T) {
	for name, tc := range map[string]struct {
		births []time.Time
		want   time.Time
	}{
		"nothing tells":                     {nil, time.Time{}},
		"one file alone":                    {[]time.Time{day(3, 0)}, day(3, 0)},
		"a join":                            {[]time.Time{day(3, time.Minute), day(3, 0), day(3, time.Second)}, day(3, 0)},
		"a ca.crt of before":                {[]time.Time{day(1, 0), day(3, 0), day(3, time.Minute)}, day(3, 0)},
		"a configuration that was edited":   {[]time.Time{day(9, 0), day(3, 0), day(3, time.Minute)}, day(3, 0)},
		"an init that was finished later":   {[]time.Time{day(3, 0), day(3, 2*time.Hour), day(3, 2*time.Hour+time.Second)}, day(3, 2*time.Hour)},
		"no two agree, as after many edits": {[]time.Time{day(9, 0), day(3, 0)}, day(3, 0)},
	} {
		if got := Of(Traces{Files: born(tc.births...), Now: day(20, 0)}); !got.At.Equal(tc.want) || got.Void != "" {
			t.Errorf("%s: %+v, want %s", name, got, tc.want)
		}
	}
}

func TestADateIsVoidWhereItsSignsContradictEachOther(t *testing.T) {
	joined := born(day(3, 0), day(3, time.Second), day(3, 2*time.Second), day(3, 3*time.Second))
	with := func(change func(files []File)) []File {
		files := append([]File{}, joined...)
		change(files)
		return files
	}
	for name, tc := range map[string]struct {
		traces Traces
		void   string // a part of why; empty where the date holds
	}{
		"a join, looked at later": {Traces{Files: joined, MachineID: day(2, 0), HostKeys: day(2, 0), SSHD: day(1, 0)}, ""},
		"two files each of two joins": {Traces{Files: born(day(3, 0), day(3, time.Second), day(9, 0), day(9, time.Second))},
			"as by two joins"},
		"three of one, and one that was edited": {Traces{Files: born(day(3, 0), day(3, time.Second), day(3, 2*time.Second), day(9, 0))}, ""},
		"the kubelet was configured":            {Traces{Files: with(func(f []File) { f[0].Written = day(9, 0) })}, ""},
		"every file has an older content, as after cp -a": {Traces{Files: with(func(f []File) {
			for i := range f {
				f[i].Written = day(2, 0)
			}
		})}, "it was copied"},
		"a backup was restored, then kubeadm upgraded the node": {Traces{Files: with(func(f []File) {
			f[0].Written, f[1].Written, f[2].Written, f[3].Written = day(5, 0), day(5, 0), day(2, 0), day(2, 0)
		})}, "it was copied"},
		"one file was put back from a copy": {Traces{Files: with(func(f []File) { f[2].Written = day(2, 0) })}, "it was copied"},
		"a configuration was put back long after": {Traces{Files: with(func(f []File) {
			f[0].Born, f[0].Written = day(9, 0), day(8, 0)
		})}, ""},
		"the authority was distributed with its times": {Traces{Files: with(func(f []File) { f[3].Written = day(1, 0) })}, ""},
		"the authority and one other file, both copied": {Traces{Files: with(func(f []File) {
			f[3].Written, f[2].Written = day(1, 0), day(1, 0)
		})}, "it was copied"},
		"the authority with nothing that agrees": {Traces{
			Files: []File{{Path: "pki/ca.crt", Born: day(3, 0), Written: day(1, 0)}}}, "copied"},
		"written within the file system's exactness": {Traces{Files: with(func(f []File) {
			f[1].Written = f[1].Born.Add(-time.Second)
		})}, ""},
		"no births, only when files were written": {Traces{Files: born(day(3, 0), day(3, 0))}, ""},
		"without times, as after rsync -r, and the kubelet's certificate tells": {Traces{Files: joined,
			Certificates: []Certificate{{Named: day(1, 0), Born: day(3, 0)}}}, "certificate"},
		"a certificate in another time zone": {Traces{Files: joined,
			Certificates: []Certificate{{Named: day(2, 10*time.Hour), Born: day(3, 0)}}}, ""},
		"certificates that were renewed": {Traces{Files: joined, Certificates: []Certificate{{Named: day(3, 0), Born: day(3, 0)},
			{Named: day(9, 0), Born: day(9, 0)}}}, ""},
		"older than the disk that it is on": {Traces{Files: with(func(f []File) { f[0].Place = day(4, 0) })}, "the directory"},
		"a file of another day on a younger disk": {Traces{Files: with(func(f []File) {
			f[0].Born, f[0].Written, f[0].Place = day(1, 0), day(1, 0), day(2, 0)
		})}, ""},
		"the clock went back by a year":           {Traces{Files: joined, Now: day(1, 0)}, "after now"},
		"the clock had not been set":              {Traces{Files: born(time.Unix(60, 0), time.Unix(61, 0))}, "no kubeadm yet"},
		"a clone that was given an id of its own": {Traces{Files: joined, MachineID: day(5, 0)}, "machine-id"},
		"an id that the join's first boot made":   {Traces{Files: joined, MachineID: day(3, time.Minute)}, ""},
		"ssh keys that were made again": {Traces{Files: joined, MachineID: day(1, 0),
			HostKeys: day(5, 0), SSHD: day(1, 0)}, "ssh keys"},
		"an ssh server that was installed later":        {Traces{Files: joined, MachineID: day(1, 0), HostKeys: day(5, 0), SSHD: day(5, 0)}, ""},
		"the Node was made when the kubelet registered": {Traces{Files: joined, Registered: day(3, time.Minute)}, ""},
		"the Node was deleted, and registered again":    {Traces{Files: joined, Registered: day(9, 0)}, ""},
		"two honest clocks that differ":                 {Traces{Files: joined, Registered: day(3, -4*time.Minute)}, ""},
		"the clock was ahead at the join":               {Traces{Files: joined, Registered: day(3, -time.Hour)}, "after the Node"},
		"every file was made again by a tool":           {Traces{Files: born(day(8, 0), day(8, 1)), Registered: day(3, 0)}, "after the Node"},
		"restored without times, and no certificate tells": {Traces{Files: joined, Registered: day(2, 0),
			Certificates: []Certificate{{Named: day(2, 0), Born: day(3, 0), Valid: day(2, -5*time.Minute)}}}, "after the Node"},
		"reset by hand, and joined again under its Node": {Traces{Files: joined, Registered: day(1, 0),
			Certificates: []Certificate{{Named: day(3, time.Minute), Born: day(3, time.Minute), Valid: day(3, -4*time.Minute)}}}, ""},
		"a certificate of long after the join is no witness of it": {Traces{Files: joined, Registered: day(1, 0),
			Certificates: []Certificate{{Named: day(9, 0), Born: day(9, 0), Valid: day(9, -5*time.Minute)}}}, "after the Node"},
		"the clock was ahead, and the cluster signed": {Traces{Files: joined, Registered: day(3, -2*time.Hour),
			Certificates: []Certificate{{Named: day(3, 0), Born: day(3, 0), Valid: day(3, -2*time.Hour)}}}, "after the Node"},
		"the clock was behind": {Traces{Files: joined, Registered: day(4, 0),
			Certificates: []Certificate{{Named: day(3, 0), Born: day(3, 0), Valid: day(4, -5*time.Minute)}}}, "later than that"},
		"the clock was behind when a certificate was renewed": {Traces{Files: joined,
			Certificates: []Certificate{{Named: day(8, 0), Born: day(8, 0), Valid: day(9, 0)}}}, ""},
		"a first control plane, whose certificate is as old as its authority": {Traces{Files: joined, Registered: day(3, time.Minute),
			Certificates: []Certificate{{Named: day(3, 0), Born: day(3, 0), Valid: day(1, 0)}}}, ""},
		"no file of a join, and a Node":            {Traces{Registered: day(1, 0)}, ""},
		"nothing of the machine's own is known":    {Traces{Files: joined}, ""},
		"no file of a join, and much that differs": {Traces{MachineID: day(5, 0), HostKeys: day(5, 0), SSHD: day(1, 0)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.traces.Now.IsZero() {
				tc.traces.Now = day(20, 0)
			}
			got := Of(tc.traces)
			if (got.Void != "") != (tc.void != "") || !strings.Contains(got.Void, tc.void) {
				t.Errorf("got %+v", got)
			}
			if got.Void != "" && !got.At.IsZero() {
				t.Error("what is void still dates something")
			}
		})
	}
}
