// SPDX-License-Identifier: Apache-2.0

package netlook

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The bounds of what is read and answered.
const (
	mostConfigs  = 32
	mostPlugins  = 128
	mostOfConfig = 1 << 20
	mostOfList   = 8 << 20
)

// Read looks at a host.
func Read(h part.Host, node string, question wire.NetworkQuestion) (wire.HostNetwork, error) {
	places := h.Places()
	// What the runtime was configured to read comes after the usual directory.
	out := wire.HostNetwork{Node: node, ConfDir: places.ConfDirs[len(places.ConfDirs)-1], BinDirs: places.BinDirs}
	if err := configs(h, &out); err != nil {
		return out, err
	}
	plugins(h, &out)
	out.Netfilter = there(h, "/proc/sys/net/bridge/bridge-nf-call-iptables")
	out.OpenVSwitch = module(h, "openvswitch")
	out.Listeners = listeners(h, question.Ports)
	return out, nil
}

// configs reads the configurations in the order in which the runtime takes them: by
// name (containerd's go-cni, CRI-O's ocicni).
func configs(h part.Host, out *wire.HostNetwork) error {
	if _, err := h.Stat(out.ConfDir); errors.Is(err, fs.ErrNotExist) {
		out.NoConfDir = true
		return nil
	}
	names, err := h.Names(h.Resolve(out.ConfDir))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains([]string{".conf", ".conflist", ".json"}, path.Ext(name)) || len(out.Configs) == mostConfigs {
			continue
		}
		raw, err := h.ReadLinked(path.Join(out.ConfDir, name), mostOfConfig)
		c := wire.NetConfig{File: name}
		if err != nil {
			c.Bad = cmp.Or(part.Unread(err), "no plain file")
		} else {
			c = parse(name, raw)
		}
		out.Configs = append(out.Configs, c)
	}
	return nil
}

// plugins reads the directories of plugins: their names, and of the first that is
// there whose it is, and whether anything may run in it.
func plugins(h part.Host, out *wire.HostNetwork) {
	first := true
	for _, dir := range out.BinDirs {
		var stat unix.Stat_t
		var mounted unix.Statfs_t
		at, err := h.Follow(dir)
		if err != nil || unix.Stat(at, &stat) != nil {
			continue
		}
		if first && unix.Statfs(at, &mounted) == nil {
			out.BinOwner, out.BinMode = int(stat.Uid), int(stat.Mode&0o777)
			out.BinNoExec = mounted.Flags&unix.ST_NOEXEC != 0
			first = false
		}
		names, _ := h.Names(h.Resolve(dir)) // what cannot be listed has no plugins
		for _, name := range names {
			if len(out.Plugins) < mostPlugins && !slices.Contains(out.Plugins, name) {
				out.Plugins = append(out.Plugins, name)
			}
		}
	}
	slices.Sort(out.Plugins)
}

// there reports whether a path exists; what cannot be looked at is not said to be missing.
func there(h part.Host, path string) bool {
	found, err := h.Exists(path)
	return found || err != nil
}

// module reports whether a module of the kernel is loaded or built in, or could be
// loaded.
func module(h part.Host, name string) bool {
	if there(h, "/sys/module/"+name) {
		return true
	}
	release, err := host.ReadLinked(h.Path("/proc/sys/kernel/osrelease"), mostOfConfig)
	if err != nil {
		return false
	}
	dir := "/lib/modules/" + path.Base(strings.TrimSpace(string(release)))
	for _, list := range []string{"modules.dep", "modules.builtin"} {
		raw, err := h.ReadLinked(dir+"/"+list, mostOfList)
		if err == nil && bytes.Contains(raw, []byte("/"+name+".ko")) {
			return true
		}
	}
	return false
}
