// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// hostname: a Node's name is a DNS subdomain in lower case, and the label
// kubernetes.io/hostname holds 63 characters (kubeadm#835, kubernetes#99194).
func hostname(f Facts, w Wanted) []Finding {
	name := f.Identity.Node
	if w.Hostname != "" && w.Hostname != name {
		if why := badName(w.Hostname); why != "" {
			return []Finding{{Severity: Blocks, Text: fmt.Sprintf("the host cannot be named %q: %s", w.Hostname, why),
				WayOut: "choose another name"}}
		}
		return []Finding{{Severity: Notes, Text: fmt.Sprintf("the host is named %q, asked for is %q", name, w.Hostname),
			Changes: []Change{{Kind: SetHostname, Name: w.Hostname}}}}
	}
	if w.Joined {
		return nil
	}
	if why := badName(name); why != "" {
		return []Finding{{Severity: Blocks, Text: fmt.Sprintf("the host's name %q cannot be a node's: %s", name, why),
			WayOut: "name the host with --hostname NAME, or join with another name (--node-name)"}}
	}
	return nil
}

// badName is why a name cannot be a Node's; empty if it can.
func badName(name string) string {
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	switch {
	case name == "":
		return "it is empty"
	case name == "localhost" || strings.HasPrefix(name, "localhost."):
		return "every host has it"
	case len(name) > 63:
		return "it has more than 63 characters"
	case !label.MatchString(name):
		return "only lower case letters, digits, '-' and '.' may be in it"
	}
	return ""
}

// nameResolves: what calls the host by its name has to reach it; 127.0.1.1, Debian's
// own line, is enough for the host alone.
func nameResolves(f Facts, _ Wanted) []Finding {
	name := f.Identity.Node
	if name == "" || len(f.Resolves) > 0 || len(f.Addresses) == 0 {
		return nil
	}
	address := f.Addresses[0]
	if _, err := netip.ParseAddr(address); err != nil || badName(name) != "" {
		return nil
	}
	return []Finding{{Severity: Warns, Text: fmt.Sprintf("the host's own name %q has no address on it", name),
		Changes: []Change{edit(f.HostsFile, withHost(f.HostsFile.Content, address, name))}}}
}

// The lines around what is ours in /etc/hosts.
const (
	hostsBegin = "# begin kubectl-lifecycle"
	hostsEnd   = "# end kubectl-lifecycle"
)

// withHost puts a name between our markers in a hosts file; what stood between them is
// replaced.
func withHost(hosts, address, name string) string {
	lines := strings.Split(strings.TrimRight(hosts, "\n"), "\n")
	begin, end := slices.Index(lines, hostsBegin), slices.Index(lines, hostsEnd)
	if begin >= 0 && end > begin {
		lines = slices.Delete(lines, begin, end+1)
	}
	return strings.Join(append(lines, hostsBegin, address+" "+name, hostsEnd), "\n") + "\n"
}

// twin finds a node that seems to be the same machine: a clone shares its machine-id,
// sometimes its firmware's UUID. The kubelet's Node would be taken over.
func twin(f Facts, w Wanted) (all []Finding) {
	if w.Joined {
		return nil
	}
	for _, n := range w.Nodes {
		switch {
		case f.Identity.MachineID != "" && n.MachineID == f.Identity.MachineID && n.Node != f.Identity.Node:
			all = append(all, Finding{Severity: Warns, Text: fmt.Sprintf("node %s has the same machine-id: was this host cloned from it?", n.Node),
				WayOut: "rm /etc/machine-id && systemd-machine-id-setup, and reboot"})
		case f.Identity.SystemUUID != "" && strings.EqualFold(n.SystemUUID, f.Identity.SystemUUID) && n.Node != f.Identity.Node:
			all = append(all, Finding{Severity: Notes,
				Text:   fmt.Sprintf("node %s has the same product_uuid (containers on one machine do, too)", n.Node),
				WayOut: "give the virtual machine a UUID of its own"})
		case n.Node == f.Identity.Node && n.MachineID != "" && n.MachineID != f.Identity.MachineID:
			all = append(all, Finding{Severity: Blocks, Text: fmt.Sprintf("node %s exists and is another machine", n.Node),
				WayOut: "name this host otherwise (--hostname NAME), or remove that node first"})
		}
	}
	return all
}
