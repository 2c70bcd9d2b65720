// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"path/filepath"
	"testing"
)

func FuzzStaticPod(f *testing.F) {
	f.Add([]byte("spec:\n  containers:\n  - command: [etcd, --data-dir=/d/x]\n    volumeMounts: [{name: a, mountPath: /d}]\n  volumes: " +
		"[{name: a, hostPath: {path: /h}}]\n"))
	f.Add([]byte(`{"spec":{"containers":[{"command":["--wal-dir=../w"]}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		pod, err := parseStaticPod(raw)
		if err != nil {
			return
		}
		for _, dir := range []string{pod.dataDir(), pod.walDir()} {
			if dir != "" && (!filepath.IsAbs(dir) || filepath.Clean(dir) != dir) {
				t.Errorf("%q is no clean path", dir)
			}
		}
	})
}

func TestTheDataOfAStaticPodIsWhereTheHostHasIt(t *testing.T) {
	const pod = `spec:
  containers:
  - command: [etcd, --data-dir=/data/etcd/x, --wal-dir=/wal]
    volumeMounts: [{name: d, mountPath: /data}, {name: in, mountPath: /data/other}, {name: e, mountPath: /e}]
  volumes: [{name: d, hostPath: {path: /srv/d/}}, {name: in, hostPath: {path: /no}}, {name: e, emptyDir: {}}]
`
	got, err := parseStaticPod([]byte(pod))
	if err != nil || got.dataDir() != "/srv/d/etcd/x" || got.walDir() != "" || got.onHost("/data/other/y") != "/no/y" ||
		got.onHost("/e/x") != "" {
		t.Errorf("%q %q %v", got.dataDir(), got.walDir(), err)
	}
	if _, err := parseStaticPod([]byte("spec: [")); err == nil {
		t.Error("it was parsed")
	}
}
