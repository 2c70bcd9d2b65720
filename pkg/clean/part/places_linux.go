// SPDX-License-Identifier: Apache-2.0

package part

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

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// placesFile is where a removal writes down the places before it stops the kubelet:
// what told them is gone when a removal is resumed.
const placesFile = "places.json"

// Located is the target with its places read, once for all that is done with it.
func (t Host) Located() Host {
	if t.At == nil {
		at, err := t.findPlaces()
		t.At, t.Astray = &at, err
	}
	return t
}

// Places are where this host's kubelet and runtime keep what they make.
func (t Host) Places() Places { return *t.Located().At }

// findPlaces reads the places: from what an earlier run has written down, else from the
// running kubelet's arguments, else from its unit's files, and from configurations.
func (t Host) findPlaces() (Places, error) {
	p := usualPlaces()
	if saved, err := t.Saved(placesFile); err != nil {
		return p, err
	} else if saved {
		raw, err := os.ReadFile(filepath.Join(t.Path(t.StateDir), placesFile))
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		return p, err
	}
	arguments, err := t.argumentsOf("kubelet")
	if t.Facts.KubeletRoot != "" && errors.Is(err, argumentsUntold) {
		err = nil // a person has told what matters of them
	}
	first := p
	first.readKubelet(arguments)
	parts, unlisted := t.Listed(first.ConfigDir, ".conf")
	err = errors.Join(err, unlisted)
	for _, path := range append([]string{first.Config}, parts...) {
		raw, unread := t.Readable(path)
		err = errors.Join(err, unread)
		p.readConfig(raw)
	}
	p.readKubelet(arguments)
	if t.Facts.KubeletRoot != "" {
		p.Root = filepath.Clean(t.Facts.KubeletRoot)
	}
	runtime, err2 := t.argumentsOf("containerd")
	config := "/etc/containerd/config.toml"
	readFlags(runtime, map[string]*string{"--config": &config, "-c": &config})
	parts, unlisted = t.Listed("/etc/crio/crio.conf.d", "")
	err = errors.Join(err, unlisted)
	for _, path := range append([]string{config, "/etc/crio/crio.conf"}, parts...) {
		err = errors.Join(err, t.readImports(&p, path))
	}
	readFlags(runtime, map[string]*string{"--root": &p.RuntimeRoot, "--state": &p.RuntimeState})
	p.RuntimeRoot, p.RuntimeState = unless(p.RuntimeRoot, "/var/lib/containerd"), unless(p.RuntimeState, "/run/containerd")
	return p, errors.Join(err, err2)
}

// mostImports bounds how many files one configuration of a runtime's may lead to.
const mostImports = 256

// readImports reads a configuration of a runtime's, and those that it names, and those
// that they name: each once, as containerd does (cmd/containerd/server/config, LoadConfig).
func (t Host) readImports(p *Places, config string) error {
	raw, err := t.Readable(config)
	if len(raw) > 0 {
		p.RuntimeFiles = also(p.RuntimeFiles, config)
	}
	errs, seen := []error{err}, map[string]bool{config: true}
	for pending := imported(t, config, p.readContainerd(raw)); len(pending) > 0; {
		file := pending[0]
		pending = pending[1:]
		if seen[file] {
			continue
		}
		if seen[file] = true; len(seen) > mostImports {
			return errors.Join(append(errs, fmt.Errorf("%s leads to more than %d files", config, mostImports))...)
		}
		raw, err := t.ReadPlain(file, MostOfFile)
		errs = append(errs, err)
		p.RuntimeFiles = also(p.RuntimeFiles, file)
		pending = append(pending, imported(t, file, p.readContainerd(raw))...)
	}
	return errors.Join(errs...)
}

// imported are the files that patterns in a configuration fit. Relative ones are beside the file that names them (resolveImports).
func imported(t Host, config string, patterns []string) []string {
	var out []string
	for _, pattern := range patterns {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(config), pattern)
		}
		found, _ := t.Glob(pattern) // none for what is no pattern
		out = append(out, found...)
	}
	return out
}

// RememberPlaces writes the places down, unless that was done.
func (t Host) RememberPlaces() error {
	if t.Astray != nil {
		return t.Astray
	}
	return t.Keep(placesFile, func() ([]byte, error) { return json.Marshal(t.Places()) })
}

// UnitDirs are where units and their drop-ins lie; the first counts most (systemd.unit(5)).
func UnitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system",
		"/usr/lib/systemd/system", "/lib/systemd/system"}
}

// argumentsOf are those of a program that runs as a service of the same name: of the
// running process, else of its unit; none if there is neither. What a unit does not tell
// is an error, never taken for the usual.
func (t Host) argumentsOf(program string) ([]string, error) {
	arguments, err := t.running(program)
	if err != nil || arguments != nil {
		return arguments, err
	}
	unit := unitFile{}
	for _, dir := range UnitDirs() {
		raw, err := t.Readable(filepath.Join(dir, program+".service"))
		unit.damaged = errors.Join(unit.damaged, err)
		if len(raw) > 0 {
			unit.add(string(raw), t.environment)
			break
		}
	}
	dropIns := map[string]string{}
	var order []string
	for _, dir := range slices.Backward(UnitDirs()) {
		paths, err := t.Listed(filepath.Join(dir, program+".service.d"), ".conf")
		unit.damaged = errors.Join(unit.damaged, err)
		for _, path := range paths {
			if _, hidden := dropIns[filepath.Base(path)]; !hidden {
				order = append(order, filepath.Base(path))
			}
			dropIns[filepath.Base(path)] = path
		}
	}
	slices.Sort(order)
	for _, name := range order {
		raw, err := t.Readable(dropIns[name])
		unit.damaged = errors.Join(unit.damaged, err)
		unit.add(string(raw), t.environment)
	}
	if arguments, err = unit.arguments(program); err != nil {
		return nil, untold(program, err)
	}
	return arguments, nil
}

// argumentsUntold is why a program that does not run cannot be followed.
const argumentsUntold = untoldError("its arguments are not known")

type untoldError string

func (e untoldError) Error() string { return string(e) }

// untold is the error of a program that does not run and whose unit does not tell its
// arguments.
func untold(program string, err error) error {
	hint := fmt.Sprintf("start it, so that it can be asked itself (on the host: systemctl start %s); then run the command again",
		text.Quote(program))
	if program == "kubelet" {
		hint += fmt.Sprintf(`; or tell its --root-dir on the host: lifecycle-node clean '{"kubeletRoot":"%s"}'`, inventory.DefaultKubeletRoot)
	}
	return plan.Hint(fmt.Errorf("%s does not run, and %w: %w", program, argumentsUntold, err), "%s", hint)
}

// Readable is Text for what must not be overlooked: a file that is there and cannot be
// read is an error. What is no plain file is empty, as a unit that leads to /dev/null is.
func (t Host) Readable(path string) ([]byte, error) {
	to, _ := t.Readlink(path) // no link leads nowhere
	_, gone := t.Stat(path)
	if to == "/dev/null" || errors.Is(gone, fs.ErrNotExist) {
		return nil, nil
	}
	raw, err := t.ReadLinked(path, MostOfFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, host.ErrNotRegular) {
		return nil, nil // nothing that a program could have read its settings from
	}
	return raw, err
}

// environment reads a file of environment variables, or all that a pattern fits.
func (t Host) environment(pattern string) (string, error) {
	paths := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		found, err := t.Glob(pattern)
		if err != nil {
			return "", err
		}
		paths = found
	}
	var all strings.Builder
	for _, path := range paths {
		raw, err := t.Readable(path)
		if err != nil {
			return "", err
		}
		all.Write(append(raw, '\n'))
	}
	return all.String(), nil
}

// running are the arguments of the process that is this host's program: root's, among
// the host's mounts, of its own unit if several are. Several that are told apart by
// nothing are an error.
func (t Host) running(program string) ([]string, error) {
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
		arguments, inUnit, err := t.process(pid, program)
		if err != nil {
			return nil, err
		}
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
func (t Host) process(pid int, program string) (arguments []string, inUnit bool, err error) {
	const most = 1 << 20
	dir := "/proc/" + strconv.Itoa(pid)
	exe, err := os.Readlink(dir + "/exe")
	if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != program || !rootOwns(dir) || !t.SharesMounts(pid) {
		return nil, false, nil
	}
	raw, err := host.ReadPlain(dir+"/cmdline", most)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || err == nil && len(raw) == 0 {
		return nil, false, nil // it has ended
	}
	if err != nil {
		return nil, false, fmt.Errorf("read the arguments of %s (pid %d): %w", program, pid, err)
	}
	cgroup, _ := host.ReadPlain(dir+"/cgroup", most)
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")[1:],
		strings.Contains(string(cgroup), "/"+program+".service"), nil
}
