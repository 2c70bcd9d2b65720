// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// swap reads the devices in use and every origin of swap at boot.
func (r reader) swap(ctx context.Context) error {
	swaps, err := r.text("/proc/swaps")
	if err != nil {
		return err
	}
	for i, line := range strings.Split(swaps, "\n") {
		if words := strings.Fields(line); i > 0 && len(words) > 0 {
			r.facts.Swap.On = append(r.facts.Swap.On, words[0])
		}
	}
	if r.facts.Swap.FSTab, err = r.file("/etc/fstab"); err != nil {
		return err
	}
	if r.facts.Swap.ZRAM, err = r.zram(); err != nil {
		return err
	}
	resume, err := r.text("/etc/initramfs-tools/conf.d/resume")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(resume, "\n") {
		if device, is := strings.CutPrefix(strings.TrimSpace(line), "RESUME="); is && device != "none" && device != "" && device != "auto" {
			r.facts.Swap.Resume = device
		}
	}
	r.facts.Swap.Units, err = r.swapUnits(ctx)
	return err
}

// zram is the configuration of zram-generator, if it makes a device. The first that
// exists counts: zram-generator.conf(5).
func (r reader) zram() (prep.File, error) {
	for _, dir := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib"} {
		f, err := r.file(dir + "/systemd/zram-generator.conf")
		if err != nil {
			return prep.File{}, err
		}
		if f.There && strings.Contains(f.Content, "[zram") {
			return f, nil
		}
		if f.There {
			break
		}
	}
	return prep.File{}, nil
}

// swapUnits are units of type swap with a file of their own. Those that a generator
// makes of fstab go with its line; gpt-auto's come late (systemd.generator(7)).
func (r reader) swapUnits(ctx context.Context) ([]prep.SwapUnit, error) {
	all, err := r.swapFiles()
	if err != nil || !r.facts.OS.Systemd {
		return nil, err
	}
	loaded, err := r.local.Units(ctx, "*.swap")
	if err != nil {
		return nil, err
	}
	var kept []prep.SwapUnit
	for _, name := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(all, loaded)))) {
		unit, err := r.local.Unit(ctx, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, name) && !strings.HasPrefix(unit.Fragment, "/run/systemd/generator.late/") {
			continue // from fstab or by zram-generator, which are looked at by themselves
		}
		starts := unit.Enabled == "enabled" || unit.Enabled == "enabled-runtime" || unit.Running()
		if unit.Load != "masked" && unit.Load != "not-found" && starts {
			kept = append(kept, prep.SwapUnit{Name: name, Local: strings.HasPrefix(unit.Fragment, "/etc/")})
		}
	}
	return kept, nil
}

// swapFiles are the names of swap units that have a file.
func (r reader) swapFiles() (all []string, err error) {
	for _, dir := range []string{"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		names, err := r.names(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, ".swap") && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all, nil
}

// modules reads which of the wanted modules are there, and which a boot loads.
func (r reader) modules(context.Context) error {
	var err error
	builtin, err := r.text("/lib/modules/" + r.facts.Kernel.Release + "/modules.builtin")
	if err != nil {
		return err
	}
	dep, depErr := r.text("/lib/modules/" + r.facts.Kernel.Release + "/modules.dep")
	if depErr != nil && !errors.Is(depErr, host.ErrTooLarge) {
		return depErr
	}
	for _, name := range prep.ModulesWanted(r.wanted) {
		switch {
		case r.there("/sys/module/" + name), holdsModule(builtin, name):
			r.facts.Modules.Loaded = append(r.facts.Modules.Loaded, name)
		case r.feature(name):
			r.facts.Modules.Loaded = append(r.facts.Modules.Loaded, name)
		case dep != "" && !holdsModule(dep, name):
			r.facts.Modules.Missing = append(r.facts.Modules.Missing, name)
		}
		if holdsModule(builtin, name) || r.feature(name) && !r.there("/sys/module/"+name) {
			r.facts.Modules.AtBoot = append(r.facts.Modules.AtBoot, name) // a part of the kernel
		}
	}
	if r.facts.Modules.File, err = r.file(prep.ModulesFile); err != nil {
		return err
	}
	return r.modulesAtBoot()
}

// modulesAtBoot reads what systemd-modules-load loads.
func (r reader) modulesAtBoot() error {
	for _, file := range r.settings("modules-load.d") {
		content, err := r.text(file)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(content, "\n") {
			line = strings.TrimSpace(line)
			if line != "" && line[0] != '#' && line[0] != ';' {
				r.facts.Modules.AtBoot = append(r.facts.Modules.AtBoot, strings.ReplaceAll(line, "-", "_"))
			}
		}
	}
	return nil
}

// feature reports whether what a module does is there without it, in a kernel that has
// it built in and no list of it.
func (r reader) feature(module string) bool {
	sign := map[string]string{
		"br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables", "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
		"ip_vs": "/proc/net/ip_vs",
	}[module]
	if sign != "" {
		return r.there(sign)
	}
	if module != "overlay" {
		return false
	}
	known, err := r.text("/proc/filesystems")
	return err == nil && strings.Contains(known, "\toverlay\n")
}

// holdsModule reports whether a list of the kernel's ("kernel/net/x/name.ko.xz: …")
// has a module.
func holdsModule(list, name string) bool {
	for _, line := range strings.Split(list, "\n") {
		file, _, _ := strings.Cut(line, ":")
		base, _, _ := strings.Cut(path.Base(file), ".ko")
		if strings.ReplaceAll(base, "-", "_") == name {
			return true
		}
	}
	return false
}

// settings are the files of a kind ("sysctl.d") in the order in which systemd and
// "sysctl --system" read them: by name, and of one name that of /etc, /run,
// /usr/local/lib, /usr/lib, /lib counts alone.
func (r reader) settings(kind string) []string {
	first := map[string]string{}
	for _, dir := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"} {
		found, _ := filepath.Glob(r.local.Path(dir + "/" + kind + "/*.conf")) // the pattern is well-formed
		for _, file := range found {
			name := filepath.Base(file)
			if _, known := first[name]; !known {
				first[name] = dir + "/" + kind + "/" + name
			}
		}
	}
	var all []string
	for _, name := range sortedKeys(first) {
		all = append(all, first[name])
	}
	return all
}

// sysctls reads the values in effect, and what a boot sets.
func (r reader) sysctls(context.Context) error {
	r.facts.Sysctls.Now = map[string]string{}
	wanted := prep.SysctlsWanted(r.wanted)
	for _, s := range wanted {
		value, err := host.ReadPlain(r.local.Path("/proc/sys/"+strings.ReplaceAll(s.Key, ".", "/")), 4096)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r.facts.Sysctls.Now[s.Key] = strings.TrimSpace(string(value))
	}
	var err error
	if r.facts.Sysctls.File, err = r.file(prep.SysctlFile); err != nil {
		return err
	}
	// systemd-sysctl does not read /etc/sysctl.conf, but Debian links it as
	// 99-sysctl.conf; "sysctl --system" reads it last.
	files := r.settings("sysctl.d")
	if _, err := os.Lstat(r.local.Path("/etc/sysctl.conf")); err == nil {
		files = append(files, "/etc/sysctl.conf")
	}
	for _, file := range files {
		content, err := r.text(file)
		if err != nil {
			return err
		}
		for _, s := range assignments(file, content) {
			if slices.ContainsFunc(wanted, func(w prep.SysctlWanted) bool { return w.Key == s.Key }) {
				r.facts.Sysctls.AtBoot = append(r.facts.Sysctls.AtBoot, s)
			}
		}
	}
	return nil
}

// assignments are the lines "key = value" of a file of sysctl's: a key may begin with
// "-", and may be written with slashes.
func assignments(file, content string) (all []prep.Setting) {
	for _, line := range strings.Split(content, "\n") {
		key, value, is := strings.Cut(strings.TrimSpace(line), "=")
		key = strings.TrimPrefix(strings.TrimSpace(key), "-")
		if !is || key == "" || key[0] == '#' || key[0] == ';' {
			continue
		}
		if strings.Contains(key, "/") {
			key = strings.ReplaceAll(key, "/", ".")
		}
		all = append(all, prep.Setting{File: file, Key: key, Value: strings.TrimSpace(value)})
	}
	return all
}

// cgroups looks for those that the kubelet limits. Its own slice is there once it starts.
func (r reader) cgroups(ctx context.Context) error {
	for _, name := range r.wanted.ReservedCgroups {
		at := prep.CgroupPath(name, r.wanted.CgroupDriver)
		if !r.there("/sys/fs/cgroup"+at) && !r.there("/sys/fs/cgroup/memory"+at) && !r.begins(ctx, filepath.Base(at)) {
			r.facts.Kernel.NoCgroup = append(r.facts.Kernel.NoCgroup, name)
		}
	}
	return nil
}

// begins reports whether a slice begins with the kubelet: it runs in it, or wants it.
func (r reader) begins(ctx context.Context, slice string) bool {
	said, err := r.local.Run(ctx, host.Command{Name: "systemctl",
		Args: []string{"show", "--property=Slice,Wants,Requires,BindsTo", "kubelet.service"}})
	return err == nil && slices.ContainsFunc(strings.FieldsFunc(said, func(c rune) bool { return c == '=' || c == ' ' || c == '\n' }),
		func(word string) bool { return word == slice })
}
