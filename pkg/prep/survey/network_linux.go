// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// identity reads what the host is called, and what it is.
func (r reader) identity(context.Context) error {
	name, err := r.text("/proc/sys/kernel/hostname")
	if err != nil {
		return err
	}
	id := &r.facts.Identity
	id.Node = strings.TrimSpace(name)
	machine, err := r.text("/etc/machine-id")
	if err != nil {
		return err
	}
	id.MachineID = strings.TrimSpace(machine)
	if uuid, err := host.ReadPlain(r.local.Path("/sys/class/dmi/id/product_uuid"), 4096); err == nil { // not every board has one
		id.SystemUUID = strings.ToLower(strings.TrimSpace(string(uuid)))
	}
	if r.facts.HostsFile, err = r.file("/etc/hosts"); err != nil {
		return err
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if ip, isNet := a.(*net.IPNet); isNet && ip.IP.IsGlobalUnicast() {
			r.facts.Addresses = append(r.facts.Addresses, ip.IP.String())
		}
	}
	for _, line := range strings.Split(r.facts.HostsFile.Content, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) > 1 && slices.Contains(words[1:], id.Node) {
			r.facts.Resolves = append(r.facts.Resolves, words[0])
		}
	}
	return nil
}

// links reads which networks the host is in. A link that is down has its routes back once it is up.
func (r reader) links(context.Context) error {
	all, err := net.Interfaces()
	for _, link := range all {
		addresses, unread := link.Addrs()
		err = errors.Join(err, unread)
		for _, a := range addresses {
			if n, is := a.(*net.IPNet); is && n.IP.IsGlobalUnicast() && len(r.facts.Links) < mostLinks {
				r.facts.Links = append(r.facts.Links, prep.Link{Name: link.Name, Net: n.String()})
			}
		}
	}
	return err
}

// mostLinks bounds the addresses of a host that are compared.
const mostLinks = 10_000

// selinux reads the mode of the kernel, and whether the policy knows containers.
func (r reader) selinux(context.Context) error {
	enforce, err := r.text("/sys/fs/selinux/enforce")
	switch strings.TrimSpace(enforce) {
	case "1":
		r.facts.Guard.SELinux = "enforcing"
	case "0":
		r.facts.Guard.SELinux = "permissive"
	}
	r.facts.Guard.ContainerSELinux = r.there("/usr/share/containers/selinux") ||
		r.there("/var/lib/selinux/targeted/active/modules/200/container")
	return err
}

// firewall asks the two that distributions run; a set of rules by hand cannot be
// judged.
func (r reader) firewall(ctx context.Context) error {
	if unit, err := r.local.Unit(ctx, "firewalld.service"); err == nil && unit.Active == "active" {
		r.facts.Guard.Firewall = "firewalld"
		ports, err := r.local.Run(ctx, host.Command{Name: "firewall-cmd", Args: []string{"--list-ports"}})
		if err != nil {
			return err
		}
		r.facts.Guard.Open = strings.Fields(ports)
		return nil
	}
	if !r.local.Has(ctx, "ufw") {
		return nil
	}
	status, err := r.local.Run(ctx, host.Command{Name: "ufw", Args: []string{"status"}})
	if err != nil {
		return err
	}
	if !strings.Contains(status, "Status: active") {
		return nil
	}
	r.facts.Guard.Firewall = "ufw"
	for _, line := range strings.Split(status, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) < 3 || words[0][0] < '0' || words[0][0] > '9':
		case slices.Contains([]string{"DENY", "REJECT", "LIMIT"}, words[1]):
			r.facts.Guard.Closed = append(r.facts.Guard.Closed, words[0])
		case words[1] == "ALLOW" && words[2] == "Anywhere":
			r.facts.Guard.Open = append(r.facts.Guard.Open, words[0])
		}
	}
	return nil
}

// clock asks systemd-timedated, and which unit keeps the time.
func (r reader) clock(ctx context.Context) error {
	if !r.facts.OS.Systemd {
		return nil
	}
	for _, name := range []string{"chronyd.service", "chrony.service", "systemd-timesyncd.service", "ntpd.service", "ntpsec.service"} {
		unit, err := r.local.Unit(ctx, name)
		if err != nil {
			return err
		}
		if unit.Load != "loaded" {
			continue
		}
		if r.facts.Clock.Service == "" || unit.Running() {
			r.facts.Clock.Service, r.facts.Clock.Active = name, unit.Running()
		}
		if unit.Running() {
			break
		}
	}
	if !r.local.Has(ctx, "timedatectl") {
		return nil
	}
	said, err := r.local.Run(ctx, host.Command{Name: "timedatectl", Args: []string{"show", "--property=NTPSynchronized", "--value"}})
	var bad *host.CommandError
	if errors.As(err, &bad) {
		return nil // timedated needs D-Bus, which a small host has not
	}
	if err != nil {
		return err
	}
	yes := strings.TrimSpace(said) == "yes"
	r.facts.Clock.Synchronized = &yes
	return nil
}

// ports are the TCP ports that something listens on, with the program where /proc
// tells.
func (r reader) ports(ctx context.Context) error {
	r.facts.Listening = map[int]string{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := host.ReadPlain(r.local.Path(table), 16<<20)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(raw), "\n") {
			words := strings.Fields(line)
			if len(words) < 4 || words[3] != "0A" { // TCP_LISTEN
				continue
			}
			_, port, _ := strings.Cut(words[1], ":")
			if number, err := strconv.ParseUint(port, 16, 16); err == nil {
				r.facts.Listening[int(number)] = ""
			}
		}
	}
	if !r.local.Has(ctx, "ss") {
		return nil
	}
	out, err := r.local.Run(ctx, host.Command{Name: "ss", Args: []string{"-Hltnp"}, Most: 8 << 20})
	if err != nil {
		return nil //nolint:nilerr // the names are for people; the ports are known
	}
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) < 6 {
			continue
		}
		number, err := strconv.Atoi(words[3][strings.LastIndexByte(words[3], ':')+1:])
		_, who, _ := strings.Cut(words[5], `(("`)
		who, _, _ = strings.Cut(who, `"`)
		if _, listens := r.facts.Listening[number]; err == nil && listens && who != "" {
			r.facts.Listening[number] = who
		}
	}
	return nil
}

// programs asks Kubernetes' programs for their versions, and looks for the tools.
func (r reader) programs(ctx context.Context) error {
	r.facts.Programs = map[string]string{}
	for name, args := range map[string][]string{
		"kubeadm": {"version", "-o", "short"}, "kubelet": {"--version"}, "kubectl": {"version", "--client"},
	} {
		if !r.local.Has(ctx, name) {
			continue
		}
		out, err := r.local.Run(ctx, host.Command{Name: name, Args: args})
		if err != nil {
			return err
		}
		r.facts.Programs[name] = firstVersion(out)
	}
	for _, name := range prep.ToolsWanted() {
		if r.local.Has(ctx, name) {
			r.facts.Programs[name] = ""
		}
	}
	return nil
}

// firstVersion is the first word of a text that is a version.
func firstVersion(text string) string {
	for _, w := range strings.Fields(text) {
		if len(w) > 2 && w[0] == 'v' && w[1] >= '0' && w[1] <= '9' {
			return w
		}
	}
	return ""
}

// packages asks which packages are held.
func (r reader) packages(ctx context.Context) error {
	for _, tool := range []struct {
		name, program string
		args          []string
	}{
		{"apt", "apt-mark", []string{"showhold"}},
		{"dnf", "dnf", []string{"-q", "-C", "versionlock", "list"}},
		{"zypper", "zypper", []string{"-q", "locks"}},
	} {
		if !r.local.Has(ctx, tool.program) {
			continue
		}
		out, err := r.local.Run(ctx, host.Command{Name: tool.program, Args: tool.args})
		if err != nil {
			return err
		}
		r.facts.Packages = tool.name
		for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
			if strings.Contains(out, name) {
				r.facts.Held = append(r.facts.Held, name)
			}
		}
		return nil
	}
	return nil
}

// sortedKeys are the keys of a map, sorted.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
