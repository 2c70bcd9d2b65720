// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// asked is how long a runtime gets to answer.
const asked = 5 * time.Second

// runtime asks the container runtime on its socket.
func (r reader) runtime(ctx context.Context) error {
	rt := &r.facts.Runtime
	rt.Sockets = r.sockets(ctx)
	own, err := r.told("container-runtime-endpoint")
	if err != nil {
		return err
	}
	rt.Chosen = strings.TrimPrefix(cmp.Or(r.wanted.CRISocket, own), "unix://")
	rt.Program, rt.Socket = r.program(ctx)
	if rt.Program == "" {
		return nil
	}
	unit, err := r.local.Unit(ctx, rt.Program+".service")
	if err != nil && !errors.Is(err, host.ErrNoSystemd) {
		return err
	}
	rt.Active = unit.Active
	docker, err := r.local.Unit(ctx, "docker.service")
	rt.Docker = err == nil && docker.Running()
	if rt.Config, err = r.file("/etc/containerd/config.toml"); err != nil {
		return err
	}
	if rt.Program == "containerd" {
		if rt.Effective, err = r.effective(ctx); err != nil {
			return err
		}
	}
	r.ask(ctx)
	return nil
}

// known are the sockets at which kubeadm looks for a runtime (constants_unix.go, 1.36), with
// their programs.
func known() []struct{ program, socket string } {
	return []struct{ program, socket string }{
		{"containerd", "/run/containerd/containerd.sock"}, {"crio", "/run/crio/crio.sock"}, {"cri-dockerd", "/run/cri-dockerd.sock"},
	}
}

// sockets are those of known at which a program answers: kubeadm counts them as this does.
func (r reader) sockets(ctx context.Context) (answer []string) {
	for _, k := range known() {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", r.local.Path(k.socket))
		if err == nil {
			_ = conn.Close() // nothing was sent
			answer = append(answer, k.socket)
		}
	}
	return answer
}

// program is the runtime that is looked at: the one that was chosen, the one that answers, or
// the first that is installed.
func (r reader) program(ctx context.Context) (name, socket string) {
	rt := r.facts.Runtime
	if rt.Chosen != "" {
		for _, k := range known() {
			if k.socket == strings.TrimPrefix(rt.Chosen, "/var") {
				return k.program, rt.Chosen
			}
		}
		return strings.TrimSuffix(filepath.Base(rt.Chosen), ".sock"), rt.Chosen
	}
	for _, k := range known()[:2] {
		if r.local.Has(ctx, k.program) || r.there(k.socket) {
			return k.program, k.socket
		}
	}
	return "", ""
}

// effective are containerd's settings; nil where the program does not print them.
func (r reader) effective(ctx context.Context) (*prep.Effective, error) {
	dump, err := r.local.Run(ctx, host.Command{Name: "containerd", Args: []string{"config", "dump"}, Timeout: 2 * asked})
	if err != nil {
		return nil, err
	}
	return prep.ReadEffective(dump)
}

// ask asks the CRI for its version and its cgroup driver.
func (r reader) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	rt := &r.facts.Runtime
	client := cri.New(r.local.Path(rt.Socket))
	defer client.Close()
	_, version, err := client.Version(ctx)
	if err != nil {
		rt.Error = err.Error()
		return
	}
	rt.Answers, rt.Version = true, version
	driver, err := client.CgroupDriver(ctx)
	if err != nil || driver == "" {
		return // containerd 1.x does not tell
	}
	if rt.Effective == nil {
		rt.Effective = &prep.Effective{}
	}
	rt.Effective.CgroupDriver = driver
}

// cni reads what networks have put on the host.
func (r reader) cni(context.Context) error {
	bin := prep.Dir{Path: "/opt/cni/bin"}
	var st unix.Stat_t
	switch err := unix.Stat(r.local.Path(bin.Path), &st); {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return err
	default:
		bin.There, bin.UID, bin.Mode = true, int(st.Uid), st.Mode&0o7777
		var fsys unix.Statfs_t
		if err := unix.Statfs(r.local.Path(bin.Path), &fsys); err != nil {
			return err
		}
		bin.NoExec = fsys.Flags&unix.ST_NOEXEC != 0
	}
	r.facts.CNI.Bin = bin
	plugins, err := r.names(bin.Path)
	if err != nil {
		return err
	}
	r.facts.CNI.Plugins = plugins
	configs, err := r.names("/etc/cni/net.d")
	for _, name := range configs {
		if strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".conflist") || strings.HasSuffix(name, ".json") {
			r.facts.CNI.Configs = append(r.facts.CNI.Configs, "/etc/cni/net.d/"+name)
		}
	}
	return err
}

// disks are those of the directories that a node fills.
func (r reader) disks(context.Context) error {
	for _, dir := range []string{"/var/lib/kubelet", "/var/lib/containerd"} {
		for !r.there(dir) && dir != "/" {
			dir = dir[:max(1, strings.LastIndexByte(dir, '/'))]
		}
		var fsys unix.Statfs_t
		if err := unix.Statfs(r.local.Path(dir), &fsys); err != nil {
			return &os.PathError{Op: "statfs", Path: dir, Err: err}
		}
		disk := prep.Disk{Path: dir, Free: fsys.Bavail * uint64(fsys.Bsize), Inodes: fsys.Files, FreeInodes: fsys.Ffree}
		if len(r.facts.Disks) == 0 || r.facts.Disks[0].Path != dir {
			r.facts.Disks = append(r.facts.Disks, disk)
		}
	}
	return nil
}

// traces are what kubeadm has made, and static pods that it has not.
func (r reader) traces(context.Context) error {
	for _, path := range []string{"/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/admin.conf",
		"/etc/kubernetes/pki/ca.crt", "/var/lib/kubelet/config.yaml", "/var/lib/etcd/member"} {
		if r.there(path) {
			r.facts.Traces = append(r.facts.Traces, path)
		}
	}
	manifests, err := r.names("/etc/kubernetes/manifests")
	for _, name := range manifests {
		if slices.Contains([]string{"etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml"}, name) {
			r.facts.Traces = append(r.facts.Traces, "/etc/kubernetes/manifests/"+name)
		} else {
			r.facts.Manifests = append(r.facts.Manifests, name)
		}
	}
	return err
}

// etcd reads what is in the directory of etcd's data, where the host is to have one.
func (r reader) etcd(context.Context) (err error) {
	if dir := r.wanted.EtcdData(); dir != "" {
		r.facts.EtcdData, err = r.names(dir)
	}
	return err
}
