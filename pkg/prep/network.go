// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

// cniBin: Cilium's first init container drops all capabilities, so that root cannot
// write into a directory of another owner (cilium#23838); noexec keeps every plugin
// from running.
func cniBin(f Facts, _ Wanted) (all []Finding) {
	bin := f.CNI.Bin
	if !bin.There {
		return nil
	}
	if bin.UID != 0 || bin.Mode&0o700 != 0o700 || bin.Mode&0o022 != 0 {
		all = append(all, Finding{Severity: Warns,
			Text: fmt.Sprintf("%s belongs to user %d with mode %04o; network plugins install themselves there as "+
				"root without capabilities", bin.Path, bin.UID, bin.Mode), Changes: []Change{{Kind: Own, Path: bin.Path, Mode: 0o755}}})
	}
	if bin.NoExec {
		all = append(all, Finding{Severity: Blocks, Text: bin.Path + " is on a file system that is mounted noexec; no network plugin can run",
			WayOut: "mount it with exec, or put /opt on another file system"})
	}
	return all
}

// cniConfigs: the file that sorts first decides which network pods get.
func cniConfigs(f Facts, w Wanted) []Finding {
	if w.Joined || len(f.CNI.Configs) == 0 {
		return nil
	}
	return []Finding{{Severity: Warns, Text: "an earlier network has left its configuration: " + strings.Join(f.CNI.Configs, ", "),
		WayOut: "the runtime gives pods the network of the file that sorts first; what is a pod network's goes with all that is left of it: " +
			"lifecycle-node clean --yes; delete the others if nothing on the host uses them"}}
}

// selinux stays as it is where its policy knows containers.
func selinux(f Facts, _ Wanted) []Finding {
	if f.Guard.SELinux != "enforcing" || f.Guard.ContainerSELinux {
		return nil
	}
	return []Finding{{Severity: Warns, Text: "SELinux is enforcing, and the policy for containers is not installed; containers may not " +
		"reach their files",
		WayOut: "install the package container-selinux; do not turn SELinux off"}}
}

// portsWanted are the ports that a host of a role needs open, as "port/protocol", with
// what listens there.
func portsWanted(w Wanted) []Port {
	all := []Port{{"10250/tcp", "kubelet"}}
	if w.Role == ControlPlane {
		all = append(all, Port{"6443/tcp", "API server"}, Port{"2379-2380/tcp", "etcd"})
	}
	all = append(all, Port{"30000-32767/tcp", "Services of type NodePort"}, Port{"30000-32767/udp", "Services of type NodePort"})
	return append(all, networkPorts(w.Network)...)
}

// Port is one of them.
type Port struct{ Port, What string }

// networkPorts are what nodes send each other for the pod network.
func networkPorts(network string) (all []Port) {
	known, _ := networks.Find(network)
	for _, p := range known.Ports {
		if p.Between {
			all = append(all, Port{fmt.Sprintf("%d/%s", p.Number, strings.ToLower(p.Protocol)), known.Title + ": " + p.For})
		}
	}
	return all
}

// firewall opens what is needed, and is never turned off.
func firewall(f Facts, w Wanted) []Finding {
	if f.Guard.Firewall == "" {
		return nil
	}
	finding := Finding{Severity: Warns}
	var closed, denied []string
	for _, p := range portsWanted(w) {
		switch {
		case touches(f.Guard.Closed, p.Port):
			denied = append(denied, p.Port+" ("+p.What+")")
		case !opens(f.Guard.Open, p.Port):
			closed = append(closed, p.Port+" ("+p.What+")")
			finding.Changes = append(finding.Changes, Change{Kind: OpenPort, Name: f.Guard.Firewall, Content: p.Port})
		}
	}
	var all []Finding
	if len(denied) > 0 { // ufw would put the new rule in the place of the old one
		all = append(all, Finding{Severity: Warns, Text: f.Guard.Firewall + " has a rule that denies or limits " + strings.Join(denied, ", "),
			WayOut: "a rule of yours is not changed: let the other nodes through before it (ufw insert 1 allow from NET to any port PORT)"})
	}
	if len(closed) == 0 {
		return all
	}
	finding.Text = f.Guard.Firewall + " is active and does not open " + strings.Join(closed, ", ")
	return append(all, finding)
}

// touches reports whether a rule of a list is about a port, or a part of a range.
func touches(rules []string, port string) bool {
	from, to, protocol := span(port)
	return slices.ContainsFunc(rules, func(r string) bool {
		first, last, proto := span(r)
		return (proto == "" || proto == protocol) && first <= to && from <= last
	})
}

// opens reports whether a port or range is within one that is open.
func opens(open []string, port string) bool {
	from, to, protocol := span(port)
	return slices.ContainsFunc(open, func(o string) bool {
		first, last, proto := span(o)
		return (proto == "" || proto == protocol) && first <= from && to <= last
	})
}

// span reads "30000-32767/udp"; a port that is no number is 0.
func span(port string) (from, to int, protocol string) {
	ports, protocol, _ := strings.Cut(port, "/")
	ports = strings.Replace(ports, ":", "-", 1) // ufw's form
	first, last, isRange := strings.Cut(ports, "-")
	from, _ = strconv.Atoi(first)
	to = from
	if isRange {
		to, _ = strconv.Atoi(last)
	}
	return from, to, protocol
}

// portsFree are kubeadm's, and those that networks listen on at the host.
func portsFree(f Facts, w Wanted) (all []Finding) {
	if w.Joined {
		return nil
	}
	wanted := []int{10250, 10256}
	if w.Role == ControlPlane {
		wanted = append(wanted, 6443, 10257, 10259, 2379, 2380, 2381)
	}
	for _, port := range wanted {
		if who, taken := f.Listening[port]; taken {
			all = append(all, Finding{Severity: Blocks, Text: fmt.Sprintf("port %d is taken by %s", port, orWord(who, "another program")),
				WayOut: fmt.Sprintf("stop what listens there (ss -ltnp sport = :%d), or is this host a node already?", port)})
		}
	}
	return all
}

// overlaps: pods and Services get addresses of the cluster's networks, and what the host sends to
// one of its own links never reaches them (kubernetes/kubernetes#59687: docker0). Where the host's
// own address is one of them, some pod or Service gets it too; a network of the host's that is
// wider may work, as long as no machine in it has such an address.
func overlaps(f Facts, w Wanted) (all []Finding) {
	if w.Joined || len(f.Traces) > 0 {
		return nil
	}
	for _, l := range f.Links {
		own, err := netip.ParsePrefix(l.Net)
		if err != nil || slices.Contains(f.LeftLinks, l.Name) { // an earlier network's, which is found as that
			continue
		}
		for _, of := range []struct {
			what string
			nets []string
		}{{"pods", w.Pods}, {"Services", w.Services}} {
			for _, text := range of.nets {
				theirs, err := netip.ParsePrefix(text)
				if err != nil || !own.Overlaps(theirs) {
					continue
				}
				finding := Finding{Severity: Warns, Text: fmt.Sprintf("the link %s is in %s, which overlaps the network of the cluster's %s, %s",
					l.Name, own.Masked(), of.what, theirs.Masked()), WayOut: wayOfLink(l.Name)}
				if theirs.Contains(own.Addr()) {
					finding.Severity = Blocks
					finding.Text += fmt.Sprintf(": its address %s is one of theirs", own.Addr())
				}
				all = append(all, finding)
			}
		}
	}
	return all
}

// wayOfLink is how a link gets another network.
func wayOfLink(name string) string {
	if name == "docker0" {
		return "give Docker another network (\"bip\" in /etc/docker/daemon.json, then restart it), or take the link away where Docker is gone: " +
			"ip link delete docker0"
	}
	return "give the link another network, or take it away where nothing uses it; that of a cluster cannot be changed"
}
