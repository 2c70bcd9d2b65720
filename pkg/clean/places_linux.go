// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// placesFile is where a removal writes down the places before it stops the kubelet:
// what told them is gone when a removal is resumed.
const placesFile = "places.json"

// located is the target with its places read, once for all that is done with it.
func (t Target) located() Target {
	if t.at == nil {
		at, err := t.findPlaces()
		t.at, t.astray = &at, err
	}
	return t
}

// places are where this host's kubelet and runtime keep what they make.
func (t Target) places() Places { return *t.located().at }

// findPlaces reads the places: from what an earlier run has written down, else from the
// running kubelet's arguments, else from its unit's files, and from configurations.
func (t Target) findPlaces() (Places, error) {
	p := usualPlaces()
	if t.saved(placesFile) {
		raw, err := os.ReadFile(filepath.Join(t.Host.Path(t.StateDir), placesFile))
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		return p, err
	}
	arguments, err := t.argumentsOf("kubelet")
	first := p
	first.readKubelet(arguments)
	for _, path := range append([]string{first.Config}, t.listed(first.ConfigDir, ".conf")...) {
		p.readConfig(t.text(path))
	}
	p.readKubelet(arguments)
	if t.Facts.KubeletRoot != "" {
		p.Root = filepath.Clean(t.Facts.KubeletRoot)
	}
	runtime, err2 := t.argumentsOf("containerd")
	config := "/etc/containerd/config.toml"
	readFlags(runtime, map[string]*string{"--config": &config, "-c": &config})
	for _, path := range append([]string{config, "/etc/crio/crio.conf"}, t.listed("/etc/crio/crio.conf.d", "")...) {
		for _, pattern := range p.readContainerd(t.text(path)) {
			if !filepath.IsAbs(pattern) { // beside the file that names it (containerd, config.go resolveImports)
				pattern = filepath.Join(filepath.Dir(path), pattern)
			}
			found, _ := filepath.Glob(t.Host.Path(pattern))
			for _, file := range found {
				raw, err := host.ReadPlain(file, mostOfFile)
				if err == nil {
					p.readContainerd(raw)
				}
			}
		}
	}
	readFlags(runtime, map[string]*string{"--root": &p.RuntimeRoot, "--state": &p.RuntimeState})
	p.RuntimeRoot, p.RuntimeState = unless(p.RuntimeRoot, "/var/lib/containerd"), unless(p.RuntimeState, "/run/containerd")
	return p, errors.Join(err, err2)
}

// rememberPlaces writes the places down, unless that was done.
func (t Target) rememberPlaces() error {
	if t.saved(placesFile) || t.astray != nil {
		return t.astray
	}
	raw, err := json.Marshal(t.places())
	if err != nil {
		return err
	}
	return t.save(placesFile, raw)
}

// text reads a small file of the host; empty if there is none, or it is no such file.
func (t Target) text(path string) []byte {
	raw, _ := host.ReadPlain(t.followed(path), mostOfFile)
	return raw
}

// followed is where a path of the host's leads, as this program sees it: a configuration
// may be a link.
func (t Target) followed(path string) string { return t.Host.Path(t.real(path)) }

// listed are the files of a directory whose names end in some way, in their order.
func (t Target) listed(dir, suffix string) []string {
	if dir == "" {
		return nil
	}
	names, _ := t.names(dir) // none, if it cannot be read
	var out []string
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

// unitDirs are where units and their drop-ins lie; the first counts most (systemd.unit(5)).
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// argumentsOf are those of a program that runs as a service of the same name: of the
// running process, else of its unit; none if there is neither.
func (t Target) argumentsOf(program string) ([]string, error) {
	arguments, err := t.running(program)
	if err != nil || arguments != nil {
		return arguments, err
	}
	unit := unitFile{}
	for _, dir := range unitDirs() {
		if raw := t.text(filepath.Join(dir, program+".service")); len(raw) > 0 {
			unit.add(string(raw), t.environment)
			break
		}
	}
	dropIns := map[string]string{}
	var order []string
	for _, dir := range slices.Backward(unitDirs()) {
		for _, path := range t.listed(filepath.Join(dir, program+".service.d"), ".conf") {
			if _, hidden := dropIns[filepath.Base(path)]; !hidden {
				order = append(order, filepath.Base(path))
			}
			dropIns[filepath.Base(path)] = path
		}
	}
	slices.Sort(order)
	for _, name := range order {
		unit.add(string(t.text(dropIns[name])), t.environment)
	}
	return unit.arguments(program), nil
}

func (t Target) environment(path string) string { return string(t.text(path)) }

// running are the arguments of the process that is this host's program: root's, among
// the host's mounts, of its own unit if several are. Several that are told apart by
// nothing are an error.
func (t Target) running(program string) ([]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found, ofUnit [][]string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		arguments, inUnit := t.process(pid, program)
		if arguments == nil {
			continue
		}
		found = append(found, arguments)
		if inUnit {
			ofUnit = append(ofUnit, arguments)
		}
	}
	if len(ofUnit) > 0 {
		found = ofUnit
	}
	for _, other := range found {
		if !slices.Equal(other, found[0]) {
			return nil, fmt.Errorf("several processes are this host's %s, with different arguments", program)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// process are the arguments of a process if it is some program of root's among the
// host's mounts, and says whether it is of the unit of that name.
func (t Target) process(pid int, program string) (arguments []string, inUnit bool) {
	const most = 1 << 20
	dir := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(dir + "/exe")
	if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != program || !rootOwns(dir) || !t.Host.SharesMounts(pid) {
		return nil, false
	}
	raw, err := host.ReadPlain(dir+"/cmdline", most)
	if err != nil || len(raw) == 0 {
		return nil, false
	}
	cgroup, _ := host.ReadPlain(dir+"/cgroup", most)
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")[1:], strings.Contains(string(cgroup), "/"+program+".service")
}

// real is a path of the host without symbolic links, as far as it exists.
func (t Target) real(path string) string {
	real, err := t.Host.Real(path)
	if errors.Is(err, fs.ErrNotExist) && path != "/" {
		return filepath.Join(t.real(filepath.Dir(path)), filepath.Base(path))
	}
	if err != nil {
		return path
	}
	return real
}

// rootOwns reports whether a file is root's.
func rootOwns(path string) bool {
	var stat unix.Stat_t
	return unix.Stat(path, &stat) == nil && stat.Uid == 0
}
