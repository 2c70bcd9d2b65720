// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// TestTheRuntimeIsTheOneThatIsToBeUsed: of several that answer none is taken in silence.
func TestTheRuntimeIsTheOneThatIsToBeUsed(t *testing.T) {
	const containerd, crio, other = "/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock"
	for name, c := range map[string]struct {
		answer          []string
		flags           string
		wanted          string
		program, chosen string
	}{
		"containerd alone":                 {answer: []string{containerd}, program: "containerd"},
		"a file that is no socket beside":  {answer: []string{crio}, program: "crio"},
		"two, and none is named":           {answer: []string{containerd, crio}, program: "containerd"},
		"two, and the kubelet has its own": {answer: []string{containerd, crio}, flags: "unix://" + crio, program: "crio", chosen: crio},
		"two, and a person names the other": {answer: []string{containerd, crio}, flags: crio, wanted: "unix:///var" + containerd,
			program: "containerd", chosen: "/var" + containerd},
		"Docker's, beside its containerd": {answer: []string{containerd, other}, wanted: other, program: "cri-dockerd", chosen: other},
	} {
		t.Run(name, func(t *testing.T) {
			files := bare()
			if c.flags != "" {
				files["/etc/default/kubelet"] = "KUBELET_EXTRA_ARGS=--v=2 --container-runtime-endpoint=" + c.flags + "\n"
			}
			local := hostOf(t, files, nil)
			short, err := os.MkdirTemp("/tmp", "s") // the path of a socket has 107 characters at most
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(short) })
			if err := os.CopyFS(short, os.DirFS(local.Root)); err != nil {
				t.Fatal(err)
			}
			local.Root = short
			for _, path := range c.answer {
				at := filepath.Join(short, path)
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				l, err := net.Listen("unix", at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
				go func() { // it answers, and is no runtime
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						_ = conn.Close()
					}
				}()
			}
			facts := prep.Facts{Unread: map[string]string{}}
			_ = reader{local, prep.Wanted{CRISocket: c.wanted}, &facts}.runtime(t.Context())
			rt := facts.Runtime
			if rt.Program != c.program || rt.Chosen != c.chosen || strings.Join(rt.Sockets, " ") != strings.Join(c.answer, " ") {
				t.Errorf("%s, chosen %q, answer %q", rt.Program, rt.Chosen, rt.Sockets)
			}
		})
	}
}

// TestEtcdsDirectoryIsReadWhereTheHostIsToHaveOne: it is the cluster's configuration that says where.
func TestEtcdsDirectoryIsReadWhereTheHostIsToHaveOne(t *testing.T) {
	files := bare()
	files["/var/lib/etcd/lost+found/.x"], files["/data/etcd/y"] = "", ""
	for name, c := range map[string]struct {
		wanted prep.Wanted
		want   string
	}{
		"a worker":                   {prep.Wanted{}, ""},
		"a control plane":            {prep.Wanted{Role: prep.ControlPlane}, "lost+found"},
		"with etcd's data elsewhere": {prep.Wanted{Role: prep.ControlPlane, EtcdDir: "/data/etcd"}, "y"},
		"with an etcd elsewhere":     {prep.Wanted{Role: prep.ControlPlane, ExternalEtcd: true}, ""},
		"a directory that is not":    {prep.Wanted{Role: prep.ControlPlane, EtcdDir: "/none"}, ""},
	} {
		facts := Read(t.Context(), hostOf(t, files, nil), c.wanted)
		if got := strings.Join(facts.EtcdData, " "); got != c.want || facts.Unread["etcd"] != "" {
			t.Errorf("%s: %q, %q", name, got, facts.Unread["etcd"])
		}
	}
}

// TestACgroupThatBeginsWithTheKubeletIsThere: its slice is made when it starts.
func TestACgroupThatBeginsWithTheKubeletIsThere(t *testing.T) {
	files := bare()
	files["/sys/fs/cgroup/system.slice/.x"] = ""
	facts := Read(t.Context(), hostOf(t, files, map[string]string{
		"systemctl show --property=Slice,Wants,Requires,BindsTo kubelet.service": "Slice=runtime.slice\nWants=network-online.target\n",
	}), prep.Wanted{CgroupDriver: "systemd", ReservedCgroups: []string{"/system.slice", "/runtime.slice", "/kube.slice"}})
	if got := strings.Join(facts.Kernel.NoCgroup, " "); got != "/kube.slice" {
		t.Errorf("not there: %q", got)
	}
}
